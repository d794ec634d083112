import { statSync } from 'node:fs';

/**
 * Returns a text to compare with that of an earlier call: it differs when the content of the file at `path` may have changed
 * in between. That is so after a write, after a rename over the file, and after the swap of a symbolic link above it, as
 * Kubernetes does with `..data`. Undefined when the file cannot be found.
 */
export function fileStamp(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ');
}

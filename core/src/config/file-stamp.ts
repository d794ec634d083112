import { statSync } from 'node:fs';

/**
 * Returns a text that is another one when the file at `path` may have another content: after a write, after a rename over
 * it, and after the swap of a symbolic link above it, as Kubernetes does with `..data`. Undefined when it cannot be found.
 */
export function fileStamp(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ');
}

import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** Where the compiler writes to, and where it reads from, as nearly all services have it. */
const built = 'dist';
const sources = 'src';

/**
 * Returns the source of a file that a build writes: `src/orders.plugin.ts` for `dist/orders.plugin.js` in `directory`.
 * Undefined for another file, and when there is no source.
 */
export function sourceFile(file: string, directory: string): string | undefined {
  const [folder, ...rest] = relative(directory, file).split(sep);
  if (folder !== built || rest.length === 0) return undefined;
  const source = typed(join(directory, sources, ...rest));
  return source !== undefined && existsSync(source) ? source : undefined;
}

/** `orders.ts` for `orders.js`; undefined for what is no JavaScript. */
export function typed(path: string): string | undefined {
  const source = path.replace(/\.([cm]?)js$/, '.$1ts');
  return source === path ? undefined : source;
}

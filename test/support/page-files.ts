import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));

/** Returns the files that a page of docs/ shows: the blocks that begin with a comment of their path, such as `// src/a.ts`. */
export function filesOf(page: string): Readonly<Record<string, string>> {
  const blocks = readFileSync(join(docs, page), 'utf8').matchAll(/^```\w+\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```$/gm);
  return Object.fromEntries([...blocks].map(([, path = '', text = '']) => [path, text]));
}

/** Returns those of the files that `folder` does not have as they are shown. */
export function differentFiles(files: Readonly<Record<string, string>>, folder: string): string[] {
  return Object.entries(files).flatMap(([path, text]) => (readOf(join(folder, path)) === text ? [] : [path]));
}

function readOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

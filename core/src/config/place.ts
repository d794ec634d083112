import { relative } from 'node:path';

/** A spot in a file. Lines and columns start at 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** Where a value comes from. */
export type Origin =
  | { readonly from: 'file'; readonly place: Place }
  | { readonly from: 'variable'; readonly name: string }
  | { readonly from: 'code' }
  | { readonly from: 'default' };

/** Returns `keelson.yaml:3:5` for a file, which editors and terminals can open, and `variable PORT` for a variable. */
export function formatOrigin(origin: Origin): string {
  if (origin.from !== 'file') return origin.from === 'variable' ? `variable ${origin.name}` : origin.from;
  const { file, line, column } = origin.place;
  return [file, line, column].filter(part => part !== undefined).join(':');
}

/** `plugins.database` and `url` -> `plugins.database.url`. */
export function joinPath(...steps: readonly PropertyKey[]): string {
  return steps
    .map(String)
    .filter(step => step !== '')
    .join('.');
}

/** A file as it is named in output: relative to the working directory when it lies below it. */
export function displayPath(path: string): string {
  const near = relative(process.cwd(), path);
  if (near === '') return '.';
  return near.startsWith('..') ? path : near;
}

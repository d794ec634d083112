import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isKeelsonError } from '../contract/keelson-error.js';
import { displayPath } from './place.js';

const own = fileURLToPath(new URL('../', import.meta.url));

/**
 * Where the code of the service threw an error that does not explain itself, as `src/notes.plugin.ts:12:5`: the first frame
 * outside packages. Undefined when there is none, and for a KeelsonError.
 */
export function errorPlace(error: unknown): string | undefined {
  if (!(error instanceof Error) || isKeelsonError(error) || error.stack === undefined) return undefined;
  // Node writes the place of a syntax error above the error, and its frames after the message.
  const above = /^(file:\S+?|\/\S+?):(\d+)\n/.exec(error.stack);
  const frames = error.stack.matchAll(/^ +at (?:.* \()?(?:async )?([^\s()]+):(\d+):(\d+)\)?$/gm);
  for (const [, location = '', ...numbers] of above === null ? frames : [above, ...frames]) {
    const file = location.startsWith('file:') ? fileURLToPath(location) : location;
    if (isOfService(file)) return [displayPath(file), ...numbers].join(':');
  }
  return undefined;
}

function isOfService(file: string): boolean {
  const isFile = /^(?:\/|[A-Za-z]:[\\/])/.test(file);
  return isFile && !file.startsWith(own) && !file.includes(`${sep}node_modules${sep}`);
}

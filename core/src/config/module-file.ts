import { pathToFileURL } from 'node:url';
import { type MapNode, nodeOf } from './node.js';
import type { Origin } from './place.js';
import type { Findings } from './problem.js';

/** What a file says; without a `node` when it cannot be used. */
export interface ReadFile extends Partial<Findings> {
  readonly node?: MapNode;
}

/**
 * Reads a configuration that is a module (TypeScript too, where Node strips its types): the default export, in the
 * shape of the YAML file. Places name the file alone.
 */
export async function readModule(path: string, file: string): Promise<ReadFile> {
  const origin: Origin = { from: 'file', place: { file } };
  const refuse = (message: string, action: string) => ({
    problems: [{ code: 'CONFIG_SYNTAX', message, origin, action }],
  });
  try {
    const { default: value } = (await import(pathToFileURL(path).href)) as { default?: unknown };
    const node = nodeOf(value, origin);
    if (node.kind === 'map') return { node, problems: [] };
    return refuse('The default export is not an object.', 'Export an object with `service` and `plugins`.');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(`The module cannot be imported: ${reason}`, 'Fix the module; it must only export its values.');
  }
}

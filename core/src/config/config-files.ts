import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { ConfigRequest } from './load-config.js';
import { readModule } from './module-file.js';
import { type MapNode, nodeOf } from './node.js';
import { displayPath } from './place.js';
import type { Findings } from './problem.js';

export interface ConfigFiles {
  /** Lowest layer first; also those that are missing. */
  readonly files: readonly string[];
  readonly layers: readonly MapNode[];
  readonly directory: string;
}

/** Reads the file and its overlay, or takes the object that stands for them. */
export async function readFiles(request: ConfigRequest, findings: Findings): Promise<ConfigFiles> {
  if (typeof request.config !== 'string') {
    const layers = [nodeOf(request.config, { from: 'code' }) as MapNode];
    return { files: [], layers, directory: resolve(request.directory ?? '.') };
  }
  const file = resolve(request.config);
  const files = [file];
  if (request.environment !== undefined && request.environment !== '') files.push(overlayOf(file, request.environment));
  const layers: MapNode[] = [];
  for (const [index, path] of files.entries()) {
    const layer = existsSync(path) ? await readFile(path, findings) : missingFile(path, index === 0, request, findings);
    if (layer !== undefined) layers.push(layer);
  }
  return { files, layers, directory: dirname(file) };
}

async function readFile(path: string, findings: Findings): Promise<MapNode | undefined> {
  if (/\.[cm]?[jt]s$/.test(path)) return readModule(path, displayPath(path), findings);
  try {
    // Here alone: a service that is configured in code or in TypeScript needs no parser.
    const { parseYaml } = await import('./yaml-file.js');
    return parseYaml(readFileSync(path, 'utf8'), displayPath(path), findings);
  } catch (error) {
    findings.problem({
      code: 'CONFIG_FILE_UNREADABLE',
      message: `The file ${displayPath(path)} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}).`,
      origin: { from: 'file', place: { file: displayPath(path) } },
      action: 'Look at its permissions, and whether it is a file.',
    });
    return undefined;
  }
}

/** `keelson.yaml` and `production` -> `keelson.production.yaml`, beside it. */
function overlayOf(file: string, environment: string): string {
  const extension = extname(file);
  return join(dirname(file), `${basename(file, extension)}.${environment}${extension}`);
}

function missingFile(path: string, isBase: boolean, request: ConfigRequest, findings: Findings): undefined {
  if (isBase) {
    findings.problem({
      code: 'CONFIG_FILE_MISSING',
      message: `There is no configuration file ${path}.`,
      origin: { from: 'file', place: { file: displayPath(path) } },
      action: 'Create it, or name another with --config.',
    });
    return;
  }
  findings.problem({
    code: 'CONFIG_ENVIRONMENT_UNKNOWN',
    message: `The environment is ${request.environment}, but there is no file ${displayPath(path)}.`,
    origin: { from: 'file', place: { file: displayPath(path) } },
    action: 'Create the file, correct KEELSON_ENV (or --environment), or leave it out.',
  });
}

import { nearest, normalize } from './nearest.js';
import { type ConfigNode, child, type MapEntry, type MapNode, mapNode } from './node.js';
import type { Origin } from './place.js';
import type { Findings, Problem } from './problem.js';

export type Variables = Readonly<Record<string, string | undefined>>;

const prefix = 'KEELSON_';

/**
 * The layer that the `KEELSON_<SLOT>__<KEY>` variables make over `base`. A part in capitals finds the key that is
 * already there whatever its case and dashes, and is camel case otherwise: `POOL__ACQUIRE_TIMEOUT_MS` is
 * `pool.acquireTimeoutMs`. Variables without a double underscore are not ours to judge; those that look like a slip are
 * warned of.
 */
export function variableLayer(
  variables: Variables,
  base: MapNode,
  slots: readonly string[],
  settings: readonly string[],
): Findings & { readonly node: MapNode } {
  const problems: Problem[] = [];
  const references: Problem[] = [];
  const plugins = child(base, 'plugins');
  const configured = plugins?.kind === 'map' ? [...plugins.entries.keys()] : [];
  // A plain setting such as the name of the service has nothing below it.
  const groups = settings.filter(setting => setting !== 'service');
  const root = new Branch();
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) continue;
    if (!name.startsWith(prefix)) continue;
    const [head = '', ...rest] = name.slice(prefix.length).split('__');
    if (rest.length === 0) continue;
    const path = headPath(head, configured, slots, settings);
    if (path === undefined || rest.some(part => part === '')) {
      problems.push(unknownVariable(name, head, [...configured, ...groups], slots));
      continue;
    }
    if (reference.test(value)) references.push(unreadReference(name));
    root.put([...path, ...rest], value, { from: 'variable', name }, base);
  }
  const warnings = Object.entries(variables).flatMap(([name, value]) =>
    value === undefined ? [] : slipsIn(name, value, [...configured, ...slots, ...groups]),
  );
  return { node: root.toNode({ from: 'code' }) as MapNode, problems, warnings: [...references, ...warnings] };
}

const reference = /(?<!\$)\$\{(?:file:[^}]+|[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?)\}/;

/** References are filled in where a file has them; the value of a variable is taken as it is. */
function unreadReference(name: string): Problem {
  return {
    code: 'CONFIG_REFERENCE_INVALID',
    message: `The value of the variable ${name} looks like a reference, but references in variables are not resolved.`,
    origin: { from: 'variable', name },
    action: `Put the value itself into ${name}, or write the reference into the configuration file.`,
  };
}

/** `DATABASE_REPORTING` is the plugin `database/reporting`; `SHUTDOWN` is a setting of the kernel. */
function headPath(
  head: string,
  configured: readonly string[],
  slots: readonly string[],
  settings: readonly string[],
): readonly string[] | undefined {
  const same = (name: string) => normalize(name) === normalize(head);
  const plugin = configured.find(same) ?? slots.find(same);
  if (plugin !== undefined) return ['plugins', plugin];
  const setting = settings.find(same);
  return setting === undefined ? undefined : [setting];
}

function unknownVariable(name: string, head: string, known: readonly string[], slots: readonly string[]): Problem {
  const meant = nearest(head, [...known, ...slots]);
  return {
    code: 'CONFIG_VARIABLE_UNKNOWN',
    message: `The variable ${name} has no effect: it matches no plugin and no setting.`,
    origin: { from: 'variable', name },
    allowed: known.map(variableHead).join(', '),
    ...(meant !== undefined && { nearest: variableHead(meant) }),
    action: 'Fix its name, or unset it.',
  };
}

const environmentVariable = `${prefix}ENV`;

/** `KEELSON_ENVIRONMENT` for `KEELSON_ENV`, and `KEELSON_HTTP_PORT` for `KEELSON_HTTP__PORT`. */
function slipsIn(name: string, value: string, heads: readonly string[]): Problem[] {
  if (name === environmentVariable || name.includes('__')) return [];
  const meant = meantVariable(name, value, heads);
  if (meant === undefined) return [];
  return [
    {
      code: 'CONFIG_VARIABLE_UNKNOWN',
      message: `The variable ${name} is not read.`,
      origin: { from: 'variable', name },
      nearest: meant,
      action: `Write ${meant}, or unset it.`,
    },
  ];
}

function meantVariable(name: string, value: string, heads: readonly string[]): string | undefined {
  if (name.startsWith(environmentVariable)) return environmentVariable;
  if (nearest(name, [environmentVariable], 2) !== undefined) return environmentVariable;
  // Kubernetes sets such variables by itself, for a service called keelson-http.
  if (value.startsWith('tcp://') || /_SERVICE_(HOST|PORT)/.test(name)) return undefined;
  const head = heads.find(each => name.startsWith(`${prefix}${upperSnake(each)}_`));
  return head && variableHead(head) + name.slice(`${prefix}${upperSnake(head)}_`.length);
}

/** `database/reporting` -> `KEELSON_DATABASE_REPORTING__`. */
function variableHead(key: string): string {
  return `${prefix}${upperSnake(key)}__`;
}

/** The variable that sets the value at `path` under `key`. */
export function variableFor(key: string, path: readonly PropertyKey[]): string {
  return variableHead(key) + path.map(part => upperSnake(String(part))).join('__');
}

function upperSnake(name: string): string {
  return name
    .replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, '$1_$2')
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .toUpperCase();
}

function camel(part: string): string {
  return part.toLowerCase().replaceAll(/_+(.)/g, (_match, letter: string) => letter.toUpperCase());
}

/** A tree under construction. */
class Branch {
  readonly #branches = new Map<string, Branch>();
  #leaf: ConfigNode | undefined;
  #origin: Origin | undefined;

  put(path: readonly string[], value: string, origin: Origin, base: ConfigNode | undefined): void {
    this.#origin ??= origin;
    const [part, ...rest] = path;
    if (part === undefined) {
      this.#leaf = { kind: 'scalar', value, origin, text: true, written: value };
      return;
    }
    const key = keyFor(part, base);
    const branch = this.#branches.get(key) ?? new Branch();
    this.#branches.set(key, branch);
    branch.put(rest, value, origin, child(base, key));
  }

  toNode(origin: Origin): ConfigNode {
    const own = this.#origin ?? origin;
    if (this.#leaf !== undefined) return this.#leaf;
    const entries = [...this.#branches].map(([key, branch]): [string, MapEntry] => [
      key,
      { key: branch.#origin ?? own, node: branch.toNode(own) },
    ]);
    return mapNode(own, entries);
  }
}

function keyFor(part: string, base: ConfigNode | undefined): string {
  const known = base?.kind === 'map' ? [...base.entries.keys()] : [];
  if (known.includes(part)) return part;
  return known.find(key => normalize(key) === normalize(part)) ?? (/\p{Lu}/u.test(part) ? camel(part) : part);
}

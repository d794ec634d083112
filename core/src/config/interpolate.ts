import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { addSecret } from '../secrets/known-secrets.js';
import { looksSecret } from '../secrets/looks-secret.js';
import type { ConfigNode, MapEntry, ScalarNode } from './node.js';
import { joinPath } from './place.js';
import type { Problem } from './problem.js';
import type { Variables } from './variables.js';

export interface Sources {
  readonly variables: Variables;
  /** Where the relative paths of `${file:...}` start. */
  readonly directory: string;
}

/** `$${` is a literal `${`; otherwise `${VAR}`, `${VAR:-default}` or `${file:path}`. */
const reference = /\$\$\{|\$\{([^}]*)(\}?)/g;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface Interpolated<Node extends ConfigNode> {
  readonly node: Node;
  readonly problems: readonly Problem[];
}

/**
 * Fills in every `${...}` below `node`. What cannot be filled in is a problem and marked unreadable. Values that came
 * from variables or code are taken as they are.
 */
export function interpolate<Node extends ConfigNode>(node: Node, path: string, sources: Sources): Interpolated<Node> {
  const problems: Problem[] = [];
  const fill = (below: ConfigNode, at: string): ConfigNode => {
    if (below.kind === 'list') {
      return { ...below, items: below.items.map((item, index) => fill(item, joinPath(at, index))) };
    }
    if (below.kind === 'scalar') {
      const filled = interpolateScalar(below, at, sources);
      problems.push(...filled.problems);
      return filled.node;
    }
    const entries = [...below.entries].map(([key, entry]): [string, MapEntry] => [
      key,
      { key: entry.key, node: fill(entry.node, joinPath(at, key)) },
    ]);
    return { ...below, entries: new Map(entries) };
  };
  return { node: fill(node, path) as Node, problems };
}

function interpolateScalar(node: ScalarNode, path: string, sources: Sources): Interpolated<ScalarNode> {
  if (typeof node.value !== 'string' || node.origin.from !== 'file' || !node.value.includes('${')) {
    return { node, problems: [] };
  }
  const written = node.value;
  let secret = false;
  const problems: Problem[] = [];
  const filledFrom: string[] = [];
  const value = written.replaceAll(reference, (whole: string, inside: string | undefined, end: string | undefined) => {
    if (whole === '$${') return '${';
    const filled = end === '}' ? lookUp(inside ?? '', sources) : malformed(whole);
    if ('failure' in filled) {
      const needed = filled.failure.code === 'CONFIG_REFERENCE_INVALID' ? '' : ` ${path} needs it.`;
      const message = filled.failure.message + needed;
      problems.push({ ...filled.failure, message, path, origin: node.origin });
      return '';
    }
    secret ||= filled.secret;
    if (filled.variable !== undefined) filledFrom.push(filled.variable);
    if (filled.secret) addSecret(filled.text);
    return filled.text;
  });
  const unreadable = problems.length > 0;
  return { node: { ...node, value, text: true, secret, unreadable, written, filledFrom }, problems };
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly allowed?: string;
  readonly action: string;
}

interface Found {
  readonly text: string;
  readonly secret: boolean;
  readonly variable?: string;
}

type Filled = Found | { readonly failure: Failure };

function lookUp(inside: string, sources: Sources): Filled {
  if (inside.startsWith('file:')) return readSecretFile(inside.slice('file:'.length), sources.directory);
  const [name = '', ...rest] = inside.split(':-');
  if (!variableName.test(name)) return malformed(`\${${inside}}`);
  const value = sources.variables[name];
  const secret = looksSecret(name);
  if (value !== undefined && value !== '') return { text: value, secret, variable: name };
  if (rest.length > 0) return { text: rest.join(':-'), secret: false };
  return { failure: missingVariable(name, value === '', sources.directory) };
}

function missingVariable(name: string, empty: boolean, directory: string): Failure {
  const set = isInDevelopmentFile(name, directory)
    ? `Export ${name}: it is in .env, which only \`keelson dev\` reads. Otherwise`
    : `Set ${name} in the environment of the service, or`;
  return {
    code: 'CONFIG_VARIABLE_MISSING',
    message: `The variable ${name} is ${empty ? 'empty' : 'not set'}.`,
    action: `${set} write a default: \${${name}:-value}.`,
  };
}

function isInDevelopmentFile(name: string, directory: string): boolean {
  const file = join(directory, '.env');
  return existsSync(file) && Object.hasOwn(parseEnv(readFileSync(file, 'utf8')), name);
}

function malformed(text: string): Filled {
  return {
    failure: {
      code: 'CONFIG_REFERENCE_INVALID',
      message: `${text} is not a valid reference.`,
      allowed: `\${VARIABLE}, \${VARIABLE:-default} or \${file:/path}; $\${ for a literal \${`,
      action: 'Write one of the allowed forms.',
    },
  };
}

function readSecretFile(path: string, directory: string): Filled {
  const file = resolve(directory, path);
  try {
    return { text: readFileSync(file, 'utf8').replace(/\r?\n$/, ''), secret: true };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    return {
      failure: {
        code: 'CONFIG_FILE_UNREADABLE',
        message: `The file ${file} cannot be read (${reason ?? 'unknown reason'}).`,
        action: 'Mount the file, fix its path, or make it readable for the service.',
      },
    };
  }
}

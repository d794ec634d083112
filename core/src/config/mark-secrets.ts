import { addSecretField } from '../secrets/secret-fields.js';
import type { ConfigNode } from './node.js';

/**
 * Marks the secrets in `value`, to which `node` was parsed, so that no log line shows it. A secret that the schema has
 * moved to another key is not found.
 */
export function markSecrets(value: unknown, node: ConfigNode): void {
  if (typeof value !== 'object' || value === null) return;
  if (node.kind === 'list') {
    for (const [index, item] of node.items.entries()) markSecrets(Reflect.get(value, index), item);
  }
  if (node.kind !== 'map') return;
  for (const [key, { node: below }] of node.entries) {
    if (isSecret(below)) addSecretField(value, key);
    else markSecrets(Reflect.get(value, key), below);
  }
}

function isSecret(node: ConfigNode): boolean {
  if (node.kind === 'scalar') return node.secret === true;
  return node.kind === 'list' && node.items.some(isSecret);
}

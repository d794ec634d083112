import type { ServiceToken } from '../contract/token.js';
import type { PlannedPlugin } from './plan.js';
import { slots, tokenName } from './slots.js';

/** A service as an operator knows it: by its slot, when it has one. */
export function serviceName(token: ServiceToken): string {
  return slots.find(slot => slot.token === token)?.name ?? tokenName(token);
}

export function mayDecorate({ manifest }: PlannedPlugin): string[] {
  return (manifest.decorates ?? []).map(serviceName);
}

/** The keys of those of `plugins` that may wrap one of `tokens`; the last lies outermost when they are in order of start. */
export function decoratorsOf(tokens: readonly ServiceToken[], plugins: readonly PlannedPlugin[]): string[] {
  return plugins
    .filter(({ manifest }) => manifest.decorates?.some(token => tokens.includes(token)))
    .map(plugin => plugin.key);
}

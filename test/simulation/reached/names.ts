import type { DatabaseState } from '../../../plugins/database/dist/state.js';
import type { Outcome } from '../../../plugins/database/dist/transaction/outcome.js';

// Records, so that a state that is missing here does not compile. The first of each union is where it begins.
const outcomes: Readonly<Record<Outcome['is'], true>> = {
  untouched: true,
  reaching: true,
  open: true,
  failed: true,
  'cut short': true,
  'ended by hand': true,
  committing: true,
  'in doubt': true,
  committed: true,
  'rolling back': true,
  'rolled back': true,
  unknown: true,
};

const databaseStates: Readonly<Record<DatabaseState['is'], true>> = {
  disconnected: true,
  connecting: true,
  connected: true,
  error: true,
  closed: true,
};

/** The states of the unions that the runs count, as `reach` names them. */
export const unions = {
  outcome: Object.keys(outcomes),
  'database state': Object.keys(databaseStates),
  breaker: ['closed', 'open', 'half-open'],
} as const satisfies Record<string, readonly string[]>;

/** How a transition is counted. */
export function transition(union: keyof typeof unions, from: string, to: string, by?: string): string {
  return `${union}: ${from} -> ${to}${by === undefined ? '' : ` (${by})`}`;
}

/** The states that none of the transitions leads to. */
export function unreached(transitions: Iterable<string>): readonly string[] {
  const reached = new Set([...transitions].map(text => text.replace(/^([^:]+): .* -> ([^(]+?)(?: \(.*)?$/, '$1: $2')));
  return Object.entries(unions).flatMap(([union, states]) =>
    states.slice(1).flatMap(state => (reached.has(`${union}: ${state}`) ? [] : [`${union}: ${state}`])),
  );
}

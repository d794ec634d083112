import type { Diagnosis, Inspection } from '@keelson/core';
import { aboutEngine } from './about-engine.js';
import type { DatabaseService } from './database-service.js';
import type { PoolStats } from './driver/driver.js';
import { engineFacts } from './driver/engine.js';
import { faultFacts, labelOf } from './errors/connection-error.js';
import type { ListeningStats } from './listening/listen-options.js';
import type { CommitProofName } from './proof/choices.js';
import type { DatabaseState } from './state.js';

/** What an operator sees of a running database: its state, since when and why, and the numbers of its pool. */
export function inspectDatabase(
  database: Pick<DatabaseService, 'state' | 'stats' | 'address' | 'engine' | 'commitProof'> &
    Partial<Pick<DatabaseService, 'listening'>>,
): Inspection {
  const { state, address, engine, commitProof, listening } = database;
  const { counters, ...pool } = database.stats();
  const { waitMs: _waitMs, ...counts } = counters;
  return {
    facts: {
      ...factsOf(state),
      ...(address !== undefined && { address }),
      engine: engineFacts(engine),
      commitProof,
      pool: { ...pool, ...counts },
      ...(listening !== undefined && { listening: factsOfListening(listening) }),
    },
    findings: [
      aboutState(state, address),
      aboutEngine(engine),
      aboutPool(pool),
      ...(listening === undefined ? [] : [aboutListening(listening)]),
      { ...proofs[commitProof], name: 'commit proof' },
    ],
  };
}

function factsOf(state: DatabaseState) {
  if (state.is === 'connected') return { state: state.is, since: state.since };
  if (state.is === 'error') return { state: state.is, since: state.since, cause: faultFacts(state.cause) };
  return { state: state.is };
}

function aboutState(state: DatabaseState, address: string | undefined): Diagnosis {
  const place = address === undefined ? '' : ` to ${address}`;
  if (state.is === 'connected')
    return { name: 'state', status: 'pass', output: `Connected${place} since ${iso(state.since)}.` };
  if (state.is !== 'error')
    return { name: 'state', status: 'warn', output: `It is ${state.is}.`, hint: 'Check again in a moment.' };
  const output = `${address ?? 'It'} has not answered since ${iso(state.since)} (${labelOf(state.cause)}).`;
  return {
    name: 'state',
    status: 'warn',
    output,
    hint: 'Check the server. The service reconnects by itself when the server is back.',
  };
}

function factsOfListening({ cause, ...listening }: ListeningStats) {
  return { ...listening, ...(cause !== undefined && { cause: faultFacts(cause) }) };
}

function aboutListening({ state, since, cause, channels, subscriptions, queued }: ListeningStats): Diagnosis {
  if (state === 'closed') return { name: 'listening', status: 'pass', output: 'It listens to no channel.' };
  if (state === 'listening') {
    const output = `Listens to ${channels} ${channels === 1 ? 'channel' : 'channels'} for ${subscriptions} handlers since ${iso(since)}, ${queued} events wait.`;
    return { name: 'listening', status: 'pass', output };
  }
  const output = `The listening connection has been lost since ${iso(since)} (${labelOf(cause)}).`;
  const hint =
    'Check the server. The service opens the connection again, and each handler then gets an event for the gap.';
  return { name: 'listening', status: 'warn', output, hint };
}

function aboutPool({ total, busy, waiting, max }: Omit<PoolStats, 'counters'>): Diagnosis {
  const output = `${total} of ${max} connections open, ${busy} busy, ${waiting} ${waiting === 1 ? 'caller waits' : 'callers wait'}.`;
  if (waiting === 0) return { name: 'pool', status: 'pass', output };
  const hint = 'Look for slow statements and sessions held open before raising pool.max.';
  return { name: 'pool', status: 'warn', output, hint };
}

const proofs: Readonly<Record<CommitProofName, Omit<Diagnosis, 'name'>>> = {
  'transaction-id': {
    status: 'pass',
    output: 'A COMMIT without an answer is looked up by its transaction id, but not after a crash or a failover.',
  },
  token: { status: 'pass', output: 'A COMMIT without an answer is looked up by the token that its unit has written.' },
  none: { status: 'pass', output: 'A COMMIT without an answer stays unknown, unless verifyCommitted is given.' },
};

function iso(date: Date): string {
  return date.toISOString();
}

import type { DatabaseCapability, Engine, WeakerPromise } from '@keelson/database';

/** What belongs to a connection of the server, which a pooler lends to another client after each transaction. */
const lackedInTransactionMode: readonly DatabaseCapability[] = [
  'session-state',
  'session-locks',
  'startup-parameters',
  'prepared-statements',
  'listen',
];

const weaker: readonly WeakerPromise[] = [
  {
    promise: 'A statement that got lost on an open connection ends after silentAfterMs.',
    why: 'The pooler hides which process of the server works for a connection; it ends by the deadline of its session.',
  },
  {
    promise:
      'No instance starts to migrate while a statement of a killed instance still runs outside of a transaction.',
    why: 'The mark of such a statement would stay on a connection that the pooler lends to others.',
  },
];

/** `engine` with a pooler in between that lends a connection of the server for one transaction. */
export function behindPooler(engine: Engine): Engine {
  const capabilities = new Set(engine.capabilities);
  for (const capability of lackedInTransactionMode) capabilities.delete(capability);
  return {
    ...engine,
    pooler: 'unknown',
    pooling: 'transaction',
    capabilities,
    weaker: [...engine.weaker, ...weaker],
  };
}

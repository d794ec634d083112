import { isolationLevels } from '../transaction/isolation-levels.js';
import type { DatabaseCapability, Engine, WeakerPromise } from './engine.js';

/** What holds without a capability, for people. */
const without: Readonly<Record<DatabaseCapability, string>> = {
  cancel: 'A session over its deadline closes its connection; the server may continue the statement for a while.',
  'multi-connection': 'While one session holds the connection, a second session inside it is refused.',
  'commit-lookup':
    'A COMMIT without an answer cannot be looked up by its transaction id: units write tokens instead, unless commitProof is `none`.',
  'write-implies-id':
    'When the server reports that a transaction in doubt was aborted, the session does not trust this.',
  savepoints: 'No part of a session can fail alone: database.transaction inside a session is refused.',
  'session-state':
    'A statement that leaves a state on its connection is refused: SET, temporary tables, session locks.',
  'startup-parameters': 'The time limits are set with each BEGIN, and do not hold outside of a transaction.',
  'prepared-statements': 'No statement is prepared.',
  copy: 'bulkInsert uses INSERT.',
  stream: 'Reading with a cursor is refused.',
  'transactional-ddl':
    'Each migration is applied alone, and one that fails may leave a part behind; DDL in a session is refused.',
  'session-locks': 'Instances that migrate at the same time wait for a row of a table instead of an advisory lock.',
  'server-timeouts':
    'Only the deadline of a session ends its statements; a separate time limit of a statement is refused.',
  'replica-lag': 'Replicas get no reads, unless replicas.maxLagMs is `any`.',
  listen: 'database.listen is refused.',
};

/** The promises that are weaker; `reasons` has one for each capability that is lacking. */
export function weakerPromises(
  { isolationLevels: known, conflicts }: Pick<Engine, 'isolationLevels' | 'conflicts'>,
  reasons: {
    readonly lacks: ReadonlyMap<DatabaseCapability, string>;
    readonly levels: string;
    readonly conflicts: string;
  },
): readonly WeakerPromise[] {
  const missing = isolationLevels.filter(level => !known.has(level));
  return [
    ...[...reasons.lacks].map(([capability, why]) => ({ promise: without[capability], why })),
    ...missing.map(level => ({ promise: `A session with isolation ${level} is refused.`, why: reasons.levels })),
    ...(conflicts === 'normal'
      ? [
          {
            promise: 'A unit of work runs again more often, after a conflict with another one.',
            why: reasons.conflicts,
          },
        ]
      : []),
  ];
}

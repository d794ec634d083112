import { z } from 'zod';
import { commitProofChoices } from './proof/choices.js';

const milliseconds = z.number().int().positive();

/** What every database plugin takes in its configuration, next to what is its own. */
export const commonOptions = {
  connect: z
    .strictObject({
      timeoutMs: milliseconds
        .default(30_000)
        .describe('How long to keep trying while the server starts, in ms. A wrong password fails at once.'),
    })
    .prefault({}),
  session: z
    .strictObject({
      timeoutMs: milliseconds
        .default(30_000)
        .describe('Longest session with its retries and waits, in ms; then its statement is cancelled.'),
      cancelGraceMs: milliseconds
        .default(2_000)
        .describe('How long a cancelled statement may take to end before its socket is destroyed, in ms.'),
    })
    .prefault({}),
  batch: z
    .strictObject({
      timeoutMs: milliseconds
        .default(600_000)
        .describe('Longest batch or bulk insert with its retries and waits, in ms; then it is rolled back.'),
    })
    .prefault({}),
  migrations: z
    .strictObject({
      atStart: z.boolean().default(false).describe('Apply the migrations that are not yet applied when starting.'),
      timeoutMs: milliseconds
        .default(300_000)
        .describe('Longest run of all migrations with the wait for other instances, in ms.'),
      tableName: z.string().default('mikro_orm_migrations').describe('The table of applied migrations.'),
    })
    .prefault({}),
  commitProof: z
    .enum(commitProofChoices)
    .default('auto')
    .describe(
      'How a COMMIT without an answer is resolved: by the transaction id, by a token that each unit writes, or not. auto: by the id if the id covers everything that is written, otherwise by a token.',
    ),
  commitTokens: z
    .strictObject({
      tableName: z.string().default('keelson_commit_tokens').describe('The table of the tokens.'),
      keepMs: milliseconds
        .min(60_000)
        .default(86_400_000)
        .describe('How long a token is kept, in ms. After half of this time, a missing token proves nothing.'),
      cleanEveryMs: milliseconds
        .default(60_000)
        .describe('Pause between two deletions of old tokens, in ms, up to half of it shorter or longer at random.'),
    })
    .prefault({}),
  schema: z
    .strictObject({
      validateAtStart: z
        .enum(['off', 'warn', 'fail'])
        .default('off')
        .describe('Compare the entities with the tables when starting: log what differs, or do not start.'),
    })
    .prefault({}),
  listen: z
    .strictObject({
      checkIntervalMs: milliseconds
        .default(10_000)
        .describe('Silence after which the service checks that the listening connection still works, in ms.'),
      checkTimeoutMs: milliseconds
        .default(3_000)
        .describe(
          'Longest wait for the answer to that check, in ms; then the connection counts as lost and is opened again.',
        ),
      maxQueued: z
        .number()
        .int()
        .min(1)
        .max(100_000)
        .default(1_000)
        .describe('Events that may wait for one handler; one more event replaces them all with a gap.'),
    })
    .prefault({}),
  slowStatements: z
    .union([
      z.literal(false),
      z.strictObject({
        thresholdMs: milliseconds
          .default(1_000)
          .describe('A statement slower than this is logged as a warning, with its shape, in ms.'),
      }),
    ])
    .prefault({})
    .describe('Reports slow statements; false reports none.'),
  traceStatements: z
    .boolean()
    .default(true)
    .describe(
      'Whether a trace that is recorded has a span for each statement: its command and its table, never its text.',
    ),
  repeatedStatements: z
    .union([
      z.literal(false),
      z.strictObject({
        moreThan: z
          .number()
          .int()
          .min(1)
          .max(100_000)
          .default(20)
          .describe('A session that runs more statements of one shape is reported.'),
      }),
    ])
    .prefault({})
    .describe(
      'Reports a session that runs one statement again and again (n + 1): in a counter and, outside of production, in the log. False: neither.',
    ),
  closeTimeoutMs: milliseconds.default(5_000).describe('How long open sessions may take to end when stopping, in ms.'),
};

const commonSchema = z.object(commonOptions);

export type CommonDatabaseOptions = z.output<typeof commonSchema>;

/** The defaults, for code that makes a DatabaseService without a kernel. */
export function resolveCommonOptions(given: z.input<typeof commonSchema> = {}): CommonDatabaseOptions {
  return commonSchema.parse(given);
}

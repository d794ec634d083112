import { commonOptions } from '@keelson/database/contract';
import { z } from 'zod';
import { engineOptions } from './engine/stated-engine.js';
import { replicaUrlProblems, type UrlProblem, urlProblems } from './host-list.js';

const milliseconds = z.number().int().positive();

const urlText = z.string().meta({ secret: true });

const url = z
  .union([urlText, z.array(urlText).min(1)])
  .superRefine((given, context) => report(urlProblems(given), context))
  .meta({ secret: true, reloadable: true })
  .describe(
    'Where the database is: postgresql://user:password@host:5432/database. For several hosts host1:5432,host2:5432 or a list of urls; connections go to the server that accepts writes, or to the role in ?target_session_attrs=.',
  );

const poolShape = z.strictObject({
  max: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(10)
    .describe('Largest number of connections. About twice the number of cores of the server works well.'),
  min: z.number().int().min(0).default(0).describe('Idle connections kept open.'),
  acquireTimeoutMs: milliseconds.default(5_000).describe('Longest wait for a connection, in ms.'),
  maxWaiting: z
    .number()
    .int()
    .min(0)
    .default(1_000)
    .describe('Callers that may wait for a connection; further callers are refused at once.'),
  idleTimeoutMs: milliseconds.default(600_000).describe('An idle connection above `min` is closed after this, in ms.'),
  maxLifetimeMs: milliseconds
    .default(1_800_000)
    .describe('A connection older than this is replaced, up to 10 % earlier at random, in ms.'),
  pingAfterIdleMs: z
    .number()
    .int()
    .min(0)
    .default(500)
    .describe('A connection idle for longer is pinged before it is lent, in ms.'),
  pingTimeoutMs: milliseconds
    .default(1_000)
    .describe('A ping without an answer for this long means that the connection is dead, in ms.'),
  preparedStatements: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe(
      'Statements that each connection keeps prepared, the least recently used replaced first; 0 prepares none.',
    ),
  leakAfterMs: milliseconds
    .default(60_000)
    .describe('A connection that is lent for longer is reported with the place of the loan, in ms.'),
  traceLoans: z
    .enum(['sample', 'all'])
    .default('sample')
    .describe(
      'Loans whose place in the code is recorded. `sample`: one in 100, and every loan after a leak. `all`: every loan.',
    ),
});

const replicaUrls = z
  .array(urlText)
  .superRefine((given, context) => report(replicaUrlProblems(given), context))
  .describe('Where the replicas are, as in `url`.');

const replicaDefaults = { maxLagMs: 10_000, checkIntervalMs: 2_000, catchUpMs: 100 };

const replicas = z
  .union([
    z.array(urlText),
    z.strictObject({
      urls: replicaUrls,
      maxLagMs: z
        .union([milliseconds, z.literal('any')])
        .default(replicaDefaults.maxLagMs)
        .describe('A replica with more lag than this gets no reads, in ms; `any` for servers that do not report lag.'),
      checkIntervalMs: milliseconds
        .default(replicaDefaults.checkIntervalMs)
        .describe('Pause between two checks of each replica, in ms.'),
      catchUpMs: z
        .number()
        .int()
        .min(0)
        .default(replicaDefaults.catchUpMs)
        .describe(
          'Longest wait for a replica to show the commit that a read wants to see (`after`), in ms; then the primary answers.',
        ),
      pool: poolShape.optional().describe('The pool of each replica. Default: as `pool`.'),
    }),
  ])
  .prefault([])
  .superRefine((given, context) => {
    if (Array.isArray(given)) report(replicaUrlProblems(given), context);
  })
  .transform(given => (Array.isArray(given) ? { urls: given, ...replicaDefaults, pool: undefined } : given))
  .describe('Servers for read-only sessions: a list of urls, or a map with limits.');

/** The configuration of the plugin. */
export const optionsSchema = z
  .strictObject({
    url,
    user: z.string().min(1).optional().meta({ reloadable: true }).describe('The user, instead of the one in `url`.'),
    password: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, reloadable: true })
      .describe(
        'The password without percent-encoding, instead of the one in `url`. If it comes from a file, each new connection reads a changed file again.',
      ),
    ...commonOptions,
    engine: engineOptions,
    pool: poolShape.prefault({}),
    replicas,
    connectTimeoutMs: milliseconds.default(5_000).describe('Longest time to open one connection, in ms.'),
    statementTimeoutMs: milliseconds.default(30_000).describe('The server ends a statement that runs longer, in ms.'),
    lockTimeoutMs: milliseconds
      .default(10_000)
      .describe('The server ends a statement that waits longer for a lock, in ms.'),
    idleInTransactionTimeoutMs: milliseconds
      .default(60_000)
      .describe('The server ends a connection that does nothing inside a transaction for longer, in ms.'),
    keepAliveMs: milliseconds.default(10_000).describe('TCP keepalive probes start after this much silence, in ms.'),
    silentAfterMs: z
      .number()
      .int()
      .min(0)
      .default(3_000)
      .describe(
        'Time without an answer, in ms, after which the pool asks the server about the statement; 0 never asks.',
      ),
    applicationName: z.string().min(1).max(63).default('keelson').describe('The name in pg_stat_activity.'),
  })
  .superRefine(({ pool: given, migrations }, context) => {
    if (migrations.atStart && given.max < 2) {
      const message = 'must be 2 or more with migrations.atStart: one connection holds the lock, one migrates';
      context.addIssue({ code: 'custom', path: ['pool', 'max'], message });
    }
    if (given.min > given.max) {
      context.addIssue({ code: 'custom', path: ['pool', 'min'], message: `must not be above pool.max (${given.max})` });
    }
    if (given.pingTimeoutMs > given.acquireTimeoutMs) {
      context.addIssue({
        code: 'custom',
        path: ['pool', 'pingTimeoutMs'],
        message: `must not be above pool.acquireTimeoutMs (${given.acquireTimeoutMs})`,
      });
    }
  });

export type PostgresqlOptions = z.output<typeof optionsSchema>;

function report(problems: readonly UrlProblem[], context: z.RefinementCtx): void {
  for (const { index, message } of problems) {
    context.addIssue({ code: 'custom', path: index === undefined ? [] : [index], message });
  }
}

import { once } from 'node:events';
import { silentTelemetry, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { createDatabaseService } from '@keelson/database';
import { optionsSchema, PostgresqlDriver } from '@keelson/database-postgresql';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

// A process of its own, which increments the one row of `counter` as often as its environment says, all at once.
const { INCREMENTING_URL: url, INCREMENTING_TIMES: times } = process.env;
if (url === undefined || times === undefined) throw new Error('INCREMENTING_URL and INCREMENTING_TIMES are not set.');
const options = optionsSchema.parse({ url });
const logger = new RecordingLogger();
const clock = systemClock;
const retry = new OpossumRetryPolicy({ clock });
const database = createDatabaseService({
  driver: new PostgresqlDriver(options, { logger, clock, directory: '.' }),
  ormDriver: PostgreSqlDriver,
  models: [],
  options,
  retry,
  telemetry: silentTelemetry,
  logger,
  clock,
  target: 'database',
});
// There is no kernel that keeps the process alive.
const alive = setInterval(() => {}, 1_000);
await database.connect();
process.send?.('ready');
await once(process, 'message');
const increments = Array.from({ length: Number(times) }, () =>
  database.session(
    async em => {
      const [row] = await em.execute<{ value: number }[]>('select value from counter');
      await em.execute('update counter set value = ?', [(row?.value ?? 0) + 1]);
    },
    { isolation: 'serializable' },
  ),
);
const results = await Promise.allSettled(increments);
const failures = results.flatMap(result => (result.status === 'rejected' ? [String(result.reason)] : []));
const conflicts = retry.describe().reduce((sum, { counters }) => sum + counters.conflicts, 0);
process.send?.({ failures, conflicts });
await database.disconnect();
process.disconnect();
clearInterval(alive);

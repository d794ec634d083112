import { silentTelemetry, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { createDatabaseService } from '@keelson/database';
import { optionsSchema, PostgresqlDriver } from '@keelson/database-postgresql';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { Migration } from '@mikro-orm/migrations';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

class Together extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('Together')`);
    this.addSql('lock table gate in share update exclusive mode');
  }
}

class Apart extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql('create index concurrently if not exists gate_index on gate (id)');
  }
}

export const kinds = { Together, Apart } as const;

// A process of its own, made to be killed, runs the one that its environment names.
const { MIGRATING_URL: url, MIGRATING_KIND: kind } = process.env;
if (url !== undefined && (kind === 'Together' || kind === 'Apart')) {
  const options = optionsSchema.parse({ url });
  const logger = new RecordingLogger();
  const clock = systemClock;
  // There is no kernel that keeps the process alive.
  setInterval(() => {}, 1_000);
  const database = createDatabaseService({
    driver: new PostgresqlDriver(options, { logger, clock, directory: '.' }),
    ormDriver: PostgreSqlDriver,
    models: [{ entities: [], migrations: [kinds[kind]] }],
    options,
    retry: new OpossumRetryPolicy({ clock }),
    telemetry: silentTelemetry,
    logger,
    clock,
    target: 'database',
  });
  await database.connect();
  await database.migrate();
}

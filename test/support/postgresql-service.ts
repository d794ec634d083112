import {
  type Clock,
  type LogLevel,
  type Metrics,
  type RetryPolicy,
  silentTelemetry,
  systemClock,
  type Telemetry,
} from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import {
  createDatabaseService,
  type DatabaseDriver,
  type DatabaseModel,
  type DatabaseService,
  type DriverContext,
  measureOpenings,
} from '@keelson/database';
import { optionsSchema, PostgresqlDriver, type PostgresqlOptions } from '@keelson/database-postgresql';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import type { z } from 'zod';
import { sampleModel } from './sample-model.js';

export interface PostgresqlServiceOptions {
  readonly url: string;
  readonly options?: Omit<z.input<typeof optionsSchema>, 'url'> | undefined;
  readonly models?: readonly DatabaseModel[];
  readonly retry?: RetryPolicy;
  readonly telemetry?: Telemetry;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  /** Where the driver finds what to log in with, when it is not in the options. */
  readonly login?: Pick<DriverContext<PostgresqlOptions>, 'rereadFiles' | 'credentials'>;
  /** Stands between the service and the driver. */
  readonly wrap?: (driver: DatabaseDriver) => DatabaseDriver;
  /** What the logger keeps. Default: all. */
  readonly logLevel?: LogLevel;
}

export interface PostgresqlService extends AsyncDisposable {
  readonly database: DatabaseService;
  readonly driver: PostgresqlDriver;
  readonly logger: RecordingLogger;
}

/** A DatabaseService on PostgreSQL made of the real parts, without a kernel. Not connected yet. */
export function createPostgresqlService(given: PostgresqlServiceOptions): PostgresqlService {
  const { clock = systemClock, telemetry = silentTelemetry, models = [sampleModel], wrap = driver => driver } = given;
  const logger = new RecordingLogger(given.logLevel);
  const options = optionsSchema.parse({ url: given.url, ...given.options });
  const retry = given.retry ?? new OpossumRetryPolicy({ clock });
  const onOpened = given.metrics && measureOpenings(given.metrics, 'database');
  const driver = new PostgresqlDriver(options, { logger, clock, directory: '.', onOpened, ...given.login });
  const database = createDatabaseService({
    driver: wrap(driver),
    ormDriver: PostgreSqlDriver,
    models,
    options,
    retry,
    telemetry,
    logger,
    clock,
    target: 'database',
    ...(given.metrics && { metrics: given.metrics }),
  });
  return { database, driver, logger, [Symbol.asyncDispose]: () => database.disconnect() };
}

/** The same, connected. */
export async function connectPostgresqlService(given: PostgresqlServiceOptions): Promise<PostgresqlService> {
  const service = createPostgresqlService(given);
  try {
    await service.database.connect();
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
  return service;
}

import {
  type Clock,
  type KeepProcess,
  type RetryPolicy,
  silentTelemetry,
  systemClock,
  type Telemetry,
} from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { createDatabaseService, type DatabaseModel, type DatabaseService } from '@keelson/database';
import { optionsSchema, PgliteDriver } from '@keelson/database-pglite';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { PgliteDriver as MikroOrmPgliteDriver } from '@mikro-orm/pglite';
import type { z } from 'zod';
import { sampleModel } from './sample-model.js';

export interface PgliteServiceOptions {
  /** Default: in memory. */
  readonly options?: z.input<typeof optionsSchema>;
  /** What a database in memory begins with. Default: nothing, which takes seconds to make. */
  readonly dump?: Blob;
  readonly models?: readonly DatabaseModel[];
  readonly retry?: RetryPolicy;
  readonly telemetry?: Telemetry;
  readonly clock?: Clock;
  /** Default: the database is in this process. */
  readonly keepProcess?: KeepProcess;
}

export interface PgliteService extends AsyncDisposable {
  readonly database: DatabaseService;
  readonly logger: RecordingLogger;
}

/** A DatabaseService on PGlite made of the real parts, without a kernel. Not connected yet. */
export function createPgliteService(given: PgliteServiceOptions = {}): PgliteService {
  const { clock = systemClock, telemetry = silentTelemetry, models = [sampleModel] } = given;
  const logger = new RecordingLogger();
  const options = optionsSchema.parse(given.options ?? {});
  const retry = given.retry ?? new OpossumRetryPolicy({ clock });
  const database = createDatabaseService({
    driver: new PgliteDriver(
      options,
      { logger, clock, directory: '.', keepProcess: given.keepProcess },
      async () => given.dump,
    ),
    ormDriver: MikroOrmPgliteDriver,
    models,
    options,
    retry,
    telemetry,
    logger,
    clock,
    target: 'database',
  });
  return { database, logger, [Symbol.asyncDispose]: () => database.disconnect() };
}

import { silentTelemetry, systemClock } from '@keelson/core';
import { createDatabaseService, type DatabaseModel, type DatabaseService } from '@keelson/database';
import { optionsSchema, PostgresqlDriver } from '@keelson/database-postgresql';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import type { z } from 'zod';
import { transition } from '../reached/names.ts';
import { runAs } from '../world/virtual-time.ts';
import type { World } from '../world/world.ts';
import { ledgerModel } from './model.ts';
import { shelves } from './shelves.ts';
import { StoryLogger } from './story-logger.ts';

export type ServiceOptions = Omit<z.input<typeof optionsSchema>, 'url'>;
export type RetryOptions = NonNullable<ConstructorParameters<typeof OpossumRetryPolicy>[0]>['options'];

/** A row that a migration was to store. */
export interface ShelfRow {
  readonly id: number;
  readonly migration: string;
}

/** One instance of a service: the real database service, driver, pool and retry policy, in a process of its own. */
export class Instance {
  readonly name: string;
  readonly database: DatabaseService;
  readonly driver: PostgresqlDriver;
  readonly retry: OpossumRetryPolicy;
  readonly options: z.output<typeof optionsSchema>;
  /** The rows that its migrations were to store, in their order. */
  readonly shelfRows: ShelfRow[] = [];
  readonly #world: World;

  constructor(
    world: World,
    name: string,
    given: {
      readonly url: string;
      readonly options: ServiceOptions;
      readonly retry: RetryOptions;
      /** The numbers of the rows of its migrations begin here; undefined for one that has none. */
      readonly firstRow: number | undefined;
    },
  ) {
    this.#world = world;
    this.name = name;
    const logger = new StoryLogger(world, name);
    const clock = systemClock;
    this.options = optionsSchema.parse({ url: given.url, ...given.options });
    this.retry = new OpossumRetryPolicy({ clock, ...(given.retry && { options: given.retry }) });
    this.driver = new PostgresqlDriver(this.options, { logger, clock, directory: '.' });
    this.database = createDatabaseService({
      driver: this.driver,
      ormDriver: PostgreSqlDriver,
      models: [ledgerModel, ...(given.firstRow === undefined ? [] : [this.#shelves(given.firstRow)])],
      options: this.options,
      retry: this.retry,
      telemetry: silentTelemetry,
      logger,
      clock,
      target: 'database',
    });
    this.retry.observe({
      breakerMoved: (target, { from, to }) => {
        world.reach(transition('breaker', from, to));
        world.note(`${name}: the breaker of ${target} goes from ${from} to ${to}`);
      },
    });
    this.database.onStateChange((now, before) => world.reach(transition('database state', before.is, now.is)));
  }

  #shelves(firstRow: number): DatabaseModel {
    const newRow = (migration: string) => {
      const id = firstRow + this.shelfRows.length;
      this.shelfRows.push({ id, migration });
      return id;
    };
    return shelves(newRow, this.options.pool.max > 1);
  }

  /** Runs `work` in the process of the instance. */
  run<T>(work: () => T): T {
    return runAs(this.name, work);
  }

  get isDead(): boolean {
    return this.#world.time.isDead(this.name);
  }
}

import { definePlugin, HttpServer, type Kernel, type Plugin } from '@keelson/core';
import { DatabaseModel } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import { HttpRoutes } from '@keelson/http';
import retry from '@keelson/retry-opossum';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { sampleModel } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import pg from 'pg';
import { http } from './server-under-test.fixture.js';

/** The start of a plugin, with all that is bound. */
export type Start = NonNullable<Plugin<Record<never, never>>['start']>;

interface Setting {
  /** Default: the model with authors. */
  readonly model?: DatabaseModel;
  /** Further plugins, or others in their place, by key. */
  readonly plugins?: Readonly<Record<string, unknown>>;
  /** The configuration of the plugins, by key. */
  readonly values?: Readonly<Record<string, object>>;
  readonly shutdown?: object;
}

/** Starts a service of the real parts, whose plugin `authors` runs `start`. */
export function startAuthorService(
  start: Start,
  { model = sampleModel, plugins, values, shutdown }: Setting,
): Promise<Kernel> {
  const authors = definePlugin({
    name: 'authors',
    requires: [HttpServer, HttpRoutes],
    register: ({ bind }) => void bind(DatabaseModel).toConstantValue(model),
    start,
  });
  return startKernel({
    service: 'authors',
    plugins: { http, retry, database: postgresql, authors, ...plugins },
    values: {
      ...values,
      database: { migrations: { atStart: true }, ...values?.database },
    },
    shutdown,
  });
}

export function urlOf(kernel: Kernel): string {
  return kernel.container.get(HttpServer).url ?? 'http://not-listening';
}

/** A database for the services of a test file, and a connection beside theirs. */
export class AuthorServices implements AsyncDisposable {
  readonly database: TestDatabase;
  readonly witness: pg.Client;
  readonly #kernels: Kernel[] = [];

  private constructor(database: TestDatabase) {
    this.database = database;
    this.witness = new pg.Client({ connectionString: database.adminUrl });
  }

  static async create(): Promise<AuthorServices> {
    const services = new AuthorServices(await createTestDatabase());
    await services.witness.connect();
    return services;
  }

  /** Starts a service on this database, unless `values` name another one. */
  async start(start: Start, setting: Setting = {}): Promise<Kernel> {
    const database = { url: this.database.url, ...setting.values?.database };
    return this.adopt(await startAuthorService(start, { ...setting, values: { ...setting.values, database } }));
  }

  /** Has `kernel` stopped with the others. */
  adopt(kernel: Kernel): Kernel {
    this.#kernels.push(kernel);
    return kernel;
  }

  async storedEmails(): Promise<string[]> {
    const { rows } = await this.witness.query<{ email: string }>('select email from author order by id');
    return rows.map(({ email }) => email);
  }

  /** Stops the services that have been started, then drops what they made. */
  async clear(): Promise<void> {
    for (const kernel of this.#kernels.splice(0)) await kernel.stop();
    await this.witness.query(
      'drop table if exists author, mikro_orm_migrations, keelson_idempotency_keys, keelson_rate_limits cascade',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
    await this.witness.end();
    await this.database[Symbol.asyncDispose]();
  }
}

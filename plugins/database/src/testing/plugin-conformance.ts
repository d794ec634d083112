import { KeelsonError, type Plugin, RetryPolicy, type SlotConformance, type StartUnderTest } from '@keelson/core';
import { DatabaseService } from '../database-service.js';
import { DatabaseModel } from '../model.js';
import { conformanceModel } from './conformance-model.js';
import { type DatabaseConformanceCase, databaseConformance } from './database-conformance.js';
import type { DatabaseHarness } from './harness.js';
import { impatientRetries } from './impatient-retries.js';

type Running = Awaited<ReturnType<StartUnderTest>>;

/**
 * The suite of databases on a plugin that a kernel starts: what `keelson verify` runs. The configuration names a database
 * without tables; the last case leaves it so.
 */
export const databasePluginConformance: SlotConformance = start => {
  const subject = new PluginUnderTest(start);
  const clean: DatabaseConformanceCase = {
    name: 'leaves nothing behind when it is stopped',
    requires: [],
    run: async () => {
      await subject.leaveEmpty();
      return 'passed';
    },
  };
  return [...databaseConformance(() => subject.harness()), clean];
};

/** One database for all cases: what a case leaves in it is taken away before the next that wants it empty. */
class PluginUnderTest {
  readonly #start: StartUnderTest;
  #shared: Running | undefined;
  #opened: Running[] = [];
  #refusal: KeelsonError | undefined;

  constructor(start: StartUnderTest) {
    this.#start = start;
  }

  async harness(): Promise<DatabaseHarness> {
    const database = databaseOf(this.#shared ?? (await this.#share()));
    return {
      database,
      open: ({ count, models }) => this.#open(count, models),
      close: () => this.#close(),
    };
  }

  async leaveEmpty(): Promise<void> {
    await this.#share();
    await this.#unshare();
  }

  async #share(): Promise<Running> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const running = this.#shared ?? (await this.#start({ plugins: companions([conformanceModel]) }));
    try {
      await this.#empty(databaseOf(running));
      await databaseOf(running).migrate();
    } catch (error) {
      await running.stop();
      throw error;
    }
    this.#shared = running;
    return running;
  }

  async #unshare(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    if (shared === undefined) return;
    await this.#empty(databaseOf(shared));
    await shared.stop();
  }

  /** An embedded database has room for one service at a time, so the shared one ends first. */
  async #open(count: number, models: readonly DatabaseModel[]): Promise<DatabaseService[]> {
    await this.#unshare();
    for (let opened = 0; opened < count; opened += 1) {
      this.#opened.push(await this.#start({ plugins: companions(models), idle: true }));
    }
    return this.#opened.map(databaseOf);
  }

  async #close(): Promise<void> {
    const opened = this.#opened.splice(0);
    await Promise.all(opened.map(running => running.stop()));
  }

  async #empty(database: DatabaseService): Promise<void> {
    const tables = await database.session(em => em.execute<{ name: string }[]>(ownTables));
    const foreign = tables.filter(({ name }) => !isOurs(name));
    if (foreign.length > 0) {
      this.#refusal = notEmpty(foreign.length);
      throw this.#refusal;
    }
    const names = tables.map(({ name }) => `"${name}"`);
    if (names.length > 0) await database.session(em => em.execute(`drop table ${names.join(', ')} cascade`));
  }
}

const ownTables = 'select tablename::text as name from pg_tables where schemaname = current_schema()';

/** Of this suite, or of a run of it that did not come to its end. */
function isOurs(table: string): boolean {
  return table.startsWith('conformance_') || table === 'mikro_orm_migrations';
}

function databaseOf({ container }: Running): DatabaseService {
  return container.get<DatabaseService>(DatabaseService);
}

function companions(models: readonly DatabaseModel[]): Record<string, Plugin> {
  return {
    retry: {
      name: 'impatient-retries',
      slot: 'retry',
      provides: [RetryPolicy],
      register: ({ bind, clock }) => void bind(RetryPolicy).toConstantValue(impatientRetries(clock)),
    },
    'conformance-models': {
      name: 'conformance-models',
      register: ({ bind }) => {
        for (const model of models) bind(DatabaseModel).toConstantValue(model);
      },
    },
  };
}

function notEmpty(count: number): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_NOT_EMPTY',
    message: `The database has ${count === 1 ? 'a table' : `${count} tables`} of somebody else. Nothing was done.`,
    hint: 'Give the suite a database of its own: createdb conformance, and --set url=... with its name.',
    facts: { tables: count },
  });
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Deadline, silentLogger, systemClock } from '@keelson/core';
import type { DatabaseService, DriverConnection, EntityManager } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { optionsSchema } from './options.js';
import { PgliteDriver } from './pglite-driver.js';

/** Calls itself until the stack of the process is full, which PGlite does not survive. */
async function overflow(em: EntityManager): Promise<void> {
  await em.execute(`create function endless(n integer) returns integer language plpgsql as
    $$ begin return endless(n + 1); end $$`);
  await em.execute('select endless(1)');
}

/** A process that commits one author, begins with another, and stays as it is. */
const insertAndStay = (dataDir: string) => `
  import { Deadline, silentLogger, systemClock } from '@keelson/core';
  import { optionsSchema, PgliteDriver } from '@keelson/database-pglite';
  const options = optionsSchema.parse({ dataDir: ${JSON.stringify(dataDir)} });
  const driver = new PgliteDriver(options, { clock: systemClock, logger: silentLogger, directory: '.' });
  const connection = await driver.acquire({ deadline: Deadline.after(60_000, systemClock), readOnly: false });
  await connection.run([{ sql: "insert into author (email) values ('killed@example.org')" }]);
  await connection.run([{ sql: "begin" }, { sql: "insert into author (email) values ('never@example.org')" }]);
  console.log('inserted');
  setInterval(() => {}, 1_000);`;

describe('PGlite on a folder', { timeout: 120_000 }, () => {
  let folder: string;
  let dataDir: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-pglite-'));
    dataDir = join(folder, 'made-when-missing');
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const started = async () => {
    const service = createPgliteService({ options: { dataDir } });
    await service.database.connect();
    return service;
  };
  const emails = (database: DatabaseService) =>
    database.read(async em => (await em.findAll(Author, { orderBy: { id: 'asc' } })).map(a => a.email));

  test('keeps what was committed across restarts, migrates once, and takes over the lock of a dead process', async () => {
    {
      await using service = await started();
      expect(await service.database.migrate()).toEqual(['CreateAuthors']);
      await service.database.session(em => em.insert(Author, { email: 'first@example.org' }));
    }
    await writeFile(
      join(dataDir, 'keelson.lock'),
      JSON.stringify({ pid: process.pid, start: 'before the last boot', turn: 1 }),
    );
    await using service = await started();
    expect(await service.database.migrate()).toEqual([]);
    expect(await emails(service.database)).toEqual(['first@example.org']);
  });

  test('refuses a folder that a living process uses, and says which', async () => {
    await using first = await started();
    const second = createPgliteService({ options: { dataDir } });
    await expect(second.database.connect()).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: expect.stringContaining(`in use by process ${process.pid}`),
      hint: expect.stringContaining('Stop that process'),
      cause: { code: 'PGLITE_FOLDER_IN_USE' },
    });
    expect(await emails(first.database)).toEqual(['first@example.org']);
  });

  test('refuses a folder that cannot be made, and leaves no lock behind', async () => {
    await writeFile(join(folder, 'file'), 'in the way');
    const service = createPgliteService({ options: { dataDir: join(folder, 'file', 'data') } });
    await expect(service.database.connect()).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: expect.stringContaining('cannot be written to'),
      cause: { code: 'PGLITE_FOLDER_UNUSABLE' },
    });
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('in the way');
  });

  test('keeps what was committed by a process that was killed, and nothing else of it', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', insertAndStay(dataDir)], {
      cwd: new URL('..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await using service = await started();
    expect(await emails(service.database)).toEqual(['first@example.org', 'killed@example.org']);
  });

  test('keeps committed data when PGlite crashes, and continues with it', async () => {
    await using service = await started();
    const { database } = service;
    await database.session(em => em.insert(Author, { email: 'second@example.org' }));
    let runs = 0;
    await database.session(async em => {
      await em.insert(Author, { email: `run ${++runs}` });
      if (runs === 1) await overflow(em);
    });
    expect(await emails(database)).toEqual(['first@example.org', 'killed@example.org', 'second@example.org', 'run 2']);
    expect(service.logger.find('pglite crashed')).toBeDefined();
    const rested = { total: 1, idle: 1, busy: 0, counters: { opened: 2, discarded: { lost: 1 } } };
    await eventually(() => expect(database.stats()).toMatchObject(rested));
  });

  test('runs a unit again whose COMMIT has crashed PGlite where tokens are the proof, and leaves it unknown without', async () => {
    for (const commitProof of ['token', 'auto'] as const) {
      await using service = createPgliteService({ options: { dataDir, commitProof } });
      const { database } = service;
      await database.connect();
      await database.session(async em => {
        await em.execute('drop table if exists fragile');
        await em.execute('create table fragile (run int)');
        await em.execute(`create or replace function crash() returns trigger language plpgsql as
          $$ begin if new.run = 1 then perform endless(1); end if; return null; end $$`);
        await em.execute(`create or replace function endless(n integer) returns integer language plpgsql as
          $$ begin return endless(n + 1); end $$`);
        await em.execute(`create constraint trigger at_commit after insert on fragile
          deferrable initially deferred for each row execute function crash()`);
      });
      let runs = 0;
      const unit = database.session(async em => void (await em.execute(`insert into fragile values (${++runs})`)));
      if (commitProof === 'auto') await expect(unit).rejects.toMatchObject({ facts: { proof: 'none' } });
      else await unit;
      const rows = await database.read(em => em.execute('select run from fragile'));
      expect(rows).toEqual(commitProof === 'token' ? [{ run: 2 }] : []);
    }
  });

  test('lends a connection that was returned inside a transaction in a clean state', async () => {
    const options = optionsSchema.parse({ dataDir });
    const driver = new PgliteDriver(options, { clock: systemClock, logger: silentLogger, directory: '.' });
    const soon = () => Deadline.after(10_000, systemClock);
    const lent = () => driver.acquire({ deadline: soon(), readOnly: false });
    const begin = [{ sql: 'begin' }, { sql: "insert into author (email) values ('left open')" }];
    const endings: ((connection: DriverConnection) => void)[] = [
      connection => connection.release(),
      connection => connection.destroy(new Error('enough')),
    ];
    try {
      for (const end of endings) {
        for (const next of ['select 1', 'select 1 from no_such_table']) {
          const connection = await lent();
          await connection.run([...begin, { sql: next }]);
          end(connection);
          expect(connection.status).toBe('lost');
          expect((await connection.run([{ sql: 'select 1' }])).failure).toBeDefined();
        }
      }
      const connection = await lent();
      const { results } = await connection.run([{ sql: "select 1 from author where email = 'left open'" }]);
      expect([results[0]?.rows, connection.status]).toEqual([[], 'idle']);
      connection.release();
      expect(driver.stats()).toMatchObject({ total: 1, counters: { opened: 1, acquired: 5 } });
    } finally {
      await driver.close(soon());
    }
  });

  test('runs migrations on a folder that has data already', async () => {
    class AddCountry extends Migration {
      override async up(): Promise<void> {
        this.addSql("alter table author add column country text not null default 'NL'");
      }
    }
    const models = [sampleModel, { entities: [], migrations: [AddCountry] }];
    await using service = createPgliteService({ options: { dataDir }, models });
    await service.database.connect();
    expect(await service.database.migrate()).toEqual(['AddCountry']);
    const rows = await service.database.read(em => em.execute('select distinct country from author'));
    expect(rows).toEqual([{ country: 'NL' }]);
  });
});

describe('PGlite in memory', { timeout: 120_000 }, () => {
  test('does not continue with an empty database after a crash, and reports that its data is lost', async () => {
    await using service = createPgliteService();
    const { database } = service;
    await database.connect();
    await database.session(em => em.execute('create table kept (id integer)'));
    const ending = database.session(overflow);
    await expect(ending).rejects.toMatchObject({ code: 'PGLITE_MEMORY_LOST', http: { status: 503 } });
    expect(await database.health()).toMatchObject({ status: 'fail' });
    await eventually(() => expect(database.state.is).toBe('error'));
    expect(database.stats()).toMatchObject({ total: 0, busy: 0, waiting: 0 });
  });
});

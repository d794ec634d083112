import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Deadline, silentLogger, systemClock } from '@keelson/core';
import type { DatabaseService } from '@keelson/database';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { Author } from '@keelson/test-support/sample-model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { optionsSchema } from '../options.js';
import { PgliteDriver } from '../pglite-driver.js';
import { KeptDatabase } from './kept-database.js';

/** A process that commits one author, begins with another, and stays as it is. */
const insertAndStay = (dataDir: string, address: string) => `
  import { Deadline, silentLogger, systemClock } from '@keelson/core';
  import { optionsSchema, PgliteDriver } from '@keelson/database-pglite';
  const options = optionsSchema.parse({ dataDir: ${JSON.stringify(dataDir)} });
  const keepProcess = async () => ${JSON.stringify(address)};
  const driver = new PgliteDriver(options, { clock: systemClock, logger: silentLogger, directory: '.', keepProcess });
  const connection = await driver.acquire({ deadline: Deadline.after(60_000, systemClock), readOnly: false });
  await connection.run([{ sql: "insert into author (email) values ('killed@example.org')" }]);
  await connection.run([{ sql: "set application_name to 'killed'" }]);
  await connection.run([{ sql: "begin" }, { sql: "insert into author (email) values ('never@example.org')" }]);
  console.log('inserted');
  setInterval(() => {}, 1_000);`;

describe('a PGlite that is kept open for one process after the other', { timeout: 120_000 }, () => {
  let folder: string;
  let dataDir: string;
  let address: string;
  let kept: KeptDatabase;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-kept-'));
    dataDir = join(folder, 'data');
    address = process.platform === 'win32' ? `\\\\.\\pipe\\${folder}` : join(folder, 'socket');
    await copyEmptyPglite(dataDir);
    kept = await KeptDatabase.listen(dataDir, address);
  });
  afterEach(async () => {
    await kept[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const service = () => createPgliteService({ options: { dataDir }, keepProcess: async () => address });
  const started = async () => {
    const one = service();
    await one.database.connect();
    await one.database.migrate();
    return one;
  };
  const emails = (database: DatabaseService) =>
    database.read(async em => (await em.findAll(Author, { orderBy: { id: 'asc' } })).map(({ email }) => email));
  const lock = () => join(dataDir, 'keelson.lock');

  test('keeps the data and the lock, and gives each the connection as PostgreSQL would open it', async () => {
    {
      await using first = await started();
      await first.database.session(async em => {
        await em.insert(Author, { email: 'first@example.org' });
        await em.execute("set application_name to 'first'");
        await em.execute('create temporary table of_first (id integer)');
        await em.execute('select pg_advisory_lock(1)');
      });
    }
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toMatchObject({ pid: process.pid });
    await using second = await started();
    expect(await emails(second.database)).toEqual(['first@example.org']);
    const state = `select current_setting('application_name') as name, to_regclass('of_first') as "table",
      (select count(*)::integer from pg_locks where locktype = 'advisory') as locks`;
    expect(await second.database.read(em => em.execute(state))).toEqual([{ name: '', table: null, locks: 0 }]);
  });

  test('keeps what a killed process has committed, and nothing else of it', async () => {
    await (await started())[Symbol.asyncDispose]();
    const child = spawn(process.execPath, ['--input-type=module', '-e', insertAndStay(dataDir, address)], {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await expect(service().database.connect()).rejects.toMatchObject({
        message: expect.stringContaining(`in use by process ${child.pid}`),
        cause: { code: 'PGLITE_FOLDER_IN_USE' },
      });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await using next = await started();
    expect(await emails(next.database)).toEqual(['killed@example.org']);
    const name = "select current_setting('application_name') as name";
    expect(await next.database.read(em => em.execute(name))).toEqual([{ name: '' }]);
  });

  test('continues with what was committed when PGlite crashes', async () => {
    await using one = await started();
    const { database } = one;
    await database.session(em => em.insert(Author, { email: 'first@example.org' }));
    await database.session(em =>
      em.execute(`create function endless(n integer) returns integer language plpgsql as
        $$ begin return endless(n + 1); end $$`),
    );
    let runs = 0;
    await database.session(async em => {
      await em.insert(Author, { email: `run ${++runs}` });
      if (runs === 1) await em.execute('select endless(1)');
    });
    expect(await emails(database)).toEqual(['first@example.org', 'run 2']);
    expect(one.logger.find('pglite crashed')).toBeDefined();
  });

  test('lends a connection that was destroyed while a batch ran in a clean state', async () => {
    await (await started())[Symbol.asyncDispose]();
    const options = optionsSchema.parse({ dataDir });
    const context = { clock: systemClock, logger: silentLogger, directory: '.', keepProcess: async () => address };
    const driver = new PgliteDriver(options, context);
    const lent = () => driver.acquire({ deadline: Deadline.after(10_000, systemClock), readOnly: false });
    const first = await lent();
    const insert = { sql: "insert into author (email) values ('never@example.org')" };
    const running = first.run([{ sql: 'begin' }, insert, { sql: 'select pg_sleep(0.2)' }]);
    first.destroy('test');
    const second = await lent();
    const { results } = await second.run([{ sql: 'select email from author' }]);
    expect(results[0]?.rows).toEqual([]);
    expect(second.status).toBe('idle');
    expect(await running).toMatchObject({ results: [{ command: 'BEGIN' }, { command: 'INSERT' }, {}] });
    second.release();
    await driver.close(Deadline.after(10_000, systemClock));
  });

  test('is opened by no other process meanwhile, and by any after', async () => {
    await (await started())[Symbol.asyncDispose]();
    const here = createPgliteService({ options: { dataDir } });
    await expect(here.database.connect()).rejects.toMatchObject({ cause: { code: 'PGLITE_FOLDER_IN_USE' } });
    await here.database.disconnect();
    await kept[Symbol.asyncDispose]();
    expect(existsSync(lock())).toBe(false);
    await using after = createPgliteService({ options: { dataDir } });
    await after.database.connect();
    expect(await emails(after.database)).toEqual([]);
  });

  test('refuses what it would refuse in the process of the service, in the same words', async () => {
    mkdirSync(lock());
    await using one = service();
    await expect(one.database.connect()).rejects.toMatchObject({
      message: `The data folder ${dataDir} cannot be written to (EISDIR).`,
      cause: { code: 'PGLITE_FOLDER_UNUSABLE' },
    });
  });

  test('opens here, with a warning, when no process can keep it', async () => {
    const keepProcess = () => Promise.reject(new Error('it ended with code 1'));
    await using one = createPgliteService({ options: { dataDir }, keepProcess });
    await one.database.connect();
    expect(one.logger.find('the database opens again at each restart: no process keeps it open')).toBeDefined();
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toMatchObject({ pid: process.pid });
  });
});

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { formatProblem, HealthService, Kernel, type Plugin } from '@keelson/core';
import credentialsFile from '@keelson/credentials-file';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import health from '@keelson/health';
import retry from '@keelson/retry-opossum';
import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

let server: PostgresServer;
let place: string;
let folder: string;
let kernel: Kernel | undefined;

beforeAll(async () => {
  server = await startPostgres();
  const { host } = new URL(await server.createDatabase('shop'));
  place = `${host}/shop`;
});
afterAll(() => server.dispose());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keelson-rotation-'));
  for (const role of ['app', 'reports']) {
    await server.query(`drop role if exists ${role}`);
    await server.query(`create role ${role} login password 'hunter-${role}-0'`);
  }
});
afterEach(async () => {
  await kernel?.stop();
  kernel = undefined;
  rmSync(folder, { recursive: true });
});

const put = (name: string, text: string) => {
  writeFileSync(join(folder, `${name}.new`), text);
  renameSync(join(folder, `${name}.new`), join(folder, name));
};

/** JSON is YAML. */
const configure = (plugins: object) => put('keelson.yaml', JSON.stringify({ service: 'rotating', plugins }));

async function start(keys: Readonly<Record<string, Plugin>>): Promise<Kernel> {
  const own = { ...keys, health: health as Plugin, retry: retry as Plugin };
  const uses = Object.keys(own).map(key => [key, { use: 'code' }]);
  kernel = await Kernel.start({
    config: join(folder, 'keelson.yaml'),
    variables: {},
    plugins: own,
    overrides: { plugins: Object.fromEntries(uses) },
  });
  return kernel;
}

const userOf = async (name?: string) => {
  const database = kernel?.container.get(DatabaseService, name === undefined ? {} : { name });
  const rows = await database?.session(em => em.execute('select current_user as name'));
  return rows?.[0]?.name;
};
const endSessions = () =>
  server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename in ('app', 'reports')");
const setPassword = (role: string, password: string) => server.query(`alter role ${role} password '${password}'`);

test('a mounted secret of Kubernetes is read for the next connection, without a reload', async () => {
  for (const version of ['1', '2']) {
    mkdirSync(join(folder, `..${version}`));
    put(`..${version}/password`, `hunter-app-${version}\n`);
    put(`..${version}/user`, 'app\n');
  }
  symlinkSync('..1', join(folder, '..data'));
  for (const name of ['user', 'password']) symlinkSync(`..data/${name}`, join(folder, name));
  await setPassword('app', 'hunter-app-1');
  configure({
    database: {
      use: 'code',
      url: `postgresql://${place}`,
      user: '$' + '{file:user}',
      password: '$' + '{file:password}',
    },
  });
  await start({ database: postgresql as Plugin });
  expect(await userOf()).toBe('app');
  symlinkSync('..2', join(folder, '..swapped'));
  renameSync(join(folder, '..swapped'), join(folder, '..data'));
  await setPassword('app', 'hunter-app-2');
  await endSessions();
  expect(await userOf()).toBe('app');
  await eventually(() => kernel?.container.get(HealthService).report('ready').status === 'pass');
});

test('each database logs in with the credentials of its name, and a secret is shown nowhere', async () => {
  const credential = (role: string, number: number) =>
    put(`${role}.json`, JSON.stringify({ user: role, password: `hunter-${role}-${number}` }));
  credential('app', 0);
  credential('reports', 0);
  configure({
    credentials: { use: 'code', path: 'app.json' },
    'credentials/reporting': { use: 'code', path: 'reports.json' },
    database: { use: 'code', url: `postgresql://${place}` },
    'database/reporting': { use: 'code', url: `postgresql://${place}` },
  });
  const running = await start({
    credentials: credentialsFile as Plugin,
    'credentials/reporting': credentialsFile as Plugin,
    database: postgresql as Plugin,
    'database/reporting': postgresql as Plugin,
  });
  expect([await userOf(), await userOf('reporting')]).toEqual(['app', 'reports']);
  credential('reports', 1);
  await setPassword('reports', 'hunter-reports-1');
  await endSessions();
  expect([await userOf(), await userOf('reporting')]).toEqual(['app', 'reports']);
  put('app.json', '{"password": "hunter-half');
  await endSessions();
  expect(await userOf()).toBe('app');
  const report = () => running.container.get(HealthService).report('ready');
  await eventually(() => report().checks.some(({ name, status }) => name === 'credentials' && status === 'warn'), {
    timeoutMs: 10_000,
  });
  const shown = [report(), await running.status(), running.report, running.plan.problems.map(formatProblem)];
  expect(inspect(shown, { depth: 12 })).not.toContain('hunter');
});

test('a reload applies another url, and refuses another database', async () => {
  const url = (path: string, role: string) => `postgresql://${role}:hunter-${role}-0@${path}`;
  configure({ database: { use: 'code', url: url(place, 'app') } });
  const running = await start({ database: postgresql as Plugin });
  expect(await userOf()).toBe('app');
  configure({ database: { use: 'code', url: url(place, 'reports') } });
  expect((await running.reload()).changes).toMatchObject([{ path: 'database.url', outcome: 'applied' }]);
  expect(await userOf()).toBe('reports');
  configure({ database: { use: 'code', url: url(place.replace('shop', 'postgres'), 'reports') } });
  const { changes } = await running.reload();
  expect(changes).toMatchObject([
    { path: 'database.url', outcome: 'failed', error: { code: 'DATABASE_RELOAD_REFUSED' } },
  ]);
  expect(inspect(changes, { depth: 12 })).not.toContain('hunter');
  expect(readFileSync(join(folder, 'keelson.yaml'), 'utf8')).toContain('hunter');
  expect(await userOf()).toBe('reports');
});

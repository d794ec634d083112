import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { afterAll, beforeAll, expect, test } from 'vitest';

let server: PostgresServer;
let service: ServiceProcess;
let variables: Record<string, string>;

beforeAll(async () => {
  server = await startPostgres();
  variables = { KEELSON_ENV: 'postgres', DATABASE_URL: await server.createDatabase('orders') };
  service = await startService({ variables });
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await server?.dispose();
});

const keelson = (...words: string[]) => runKeelson(words, { variables });
const ask = () => service.request('GET', '/products/none').catch(() => undefined);
/** What `keelson status` says of a plugin of the only instance. */
const told = async (plugin: string) => {
  const [instance] = JSON.parse((await keelson('status', '--json')).stdout);
  return instance.plugins.find(({ key }: { key: string }) => key === plugin);
};

test('an operator sees a running service, why it does not work, and steers it, while the database is down', async () => {
  const calm = await eventually(async () => {
    const told = await keelson('status');
    return told.code === 0 && told;
  });
  // Before the first request: what the service will call is known from the start.
  const early = await keelson('do', 'retry', 'hold', 'database', 'open');
  expect(early).toMatchObject({ code: 0, stdout: expect.stringContaining('"database" is held open') });
  expect((await keelson('do', 'retry', 'release', 'database')).code).toBe(0);
  expect((await ask())?.status).toBe(404);
  expect(calm.stderr).toBe('');
  expect(calm.stdout).toMatch(new RegExp(`^orders \\(postgres\\) {2}pid ${service.pid} {2}ready, readiness pass`));
  expect((await told('retry')).facts.targets.database).toMatchObject({ breaker: { state: 'closed' } });

  await server.stop();
  const waiting: Promise<unknown>[] = [];
  await eventually(async () => {
    waiting.push(...Array.from({ length: 10 }, ask));
    const { breaker } = (await told('retry')).facts.targets.database;
    return breaker.state !== 'closed';
  });

  // Its own start fails; what the running service knows is printed all the same.
  const down = { ...variables, KEELSON_DATABASE__CONNECT__TIMEOUT_MS: '200' };
  const doctor = await runKeelson(['doctor', '--json'], { variables: down });
  expect(doctor.code).toBe(1);
  const findings: { plugin: string; name: string; pid?: number; status: string; output: string }[] = JSON.parse(
    doctor.stdout,
  );
  const of = (plugin: string, name: string) => findings.find(each => each.plugin === plugin && each.name === name);
  expect(of('database', 'start')).toMatchObject({ status: 'fail' });
  expect(of('retry', 'breaker of database')).toMatchObject({
    pid: service.pid,
    status: 'warn',
    output: expect.stringMatching(
      /^It is (half )?open, and opened [\d.]+ s ago; \d+ calls wait\. Last cause: DATABASE_\w+: /,
    ),
  });
  expect(of('database', 'pool')?.output).toMatch(/^\d+ of 10 connections open/);
  expect(doctor.stdout).not.toMatch(/select|keelson:keelson/i);

  const hold = await keelson('do', 'retry', 'hold', 'database', 'open');
  expect(hold).toMatchObject({ code: 0, stdout: expect.stringContaining('"database" is held open') });
  await Promise.all(waiting);
  await server.start();
  expect((await ask())?.status).toBe(503);
  const slip = await keelson('do', 'retry', 'release', 'databse');
  expect(slip).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/RETRY_TARGET_UNKNOWN.*\n {2}-> Known targets: database, payments\. /),
  });
  expect((await keelson('do', 'retry', 'release', 'database')).code).toBe(0);
  await eventually(async () => (await ask())?.status === 404);
  expect((await keelson('reload')).stdout).toContain('nothing has changed');
}, 30_000);

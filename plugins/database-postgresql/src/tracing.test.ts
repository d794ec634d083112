import { silentTelemetry } from '@keelson/core';
import { RecordingTelemetry } from '@keelson/core/testing';
import { translate } from '@keelson/database/contract';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type ProxiedService, startProxiedService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

let proxy: TcpProxy;
let service: ProxiedService;
const telemetry = new RecordingTelemetry();

beforeAll(async () => {
  service = await startProxiedService({ telemetry });
  proxy = service.proxy;
}, 60_000);
afterAll(() => service[Symbol.asyncDispose]());
beforeEach(() => telemetry.clear());

/** Each span as `name status`, with those inside of it. */
function tree(parent?: unknown): unknown[] {
  return telemetry
    .spans()
    .filter(span => span.parent === parent)
    .map(span => [`${span.name} ${span.errorKind ?? span.status ?? 'unset'}`, ...tree(span)]);
}

test('a unit is a session, an attempt, and its statements, ok after the commit', async () => {
  const { database } = service;
  await database.session(async em => void (await em.insert(Author, { email: 'hush@example.org' })), { name: 'store' });
  expect(tree()).toEqual([['db.session ok', ['db.attempt ok', ['INSERT author ok'], ['COMMIT ok']]]]);
  const [session, attempt, insert] = telemetry.spans();
  const place = {
    'db.system.name': 'postgresql',
    'db.namespace': new URL(service.testDatabase.url).pathname.slice(1),
    'server.address': '127.0.0.1',
    'server.port': proxy.port,
  };
  const named = { 'db.service': 'DatabaseService', 'db.operation': 'store', ...place };
  expect(session?.attributes).toMatchObject({ ...named, 'db.retry_count': 0, 'db.duration_ms': expect.any(Number) });
  expect(attempt?.attributes).toMatchObject({
    ...named,
    'db.attempt': 1,
    'db.retry_count': 0,
    'db.statement_count': 2,
  });
  expect(insert).toMatchObject({ operation: 'db.query', kind: 'client' });
  expect(insert?.attributes).toMatchObject({
    ...place,
    'db.operation.name': 'INSERT',
    'db.collection.name': 'author',
    'db.query.summary': 'INSERT author',
    'keelson.statement.shape': expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  expect(JSON.stringify(telemetry.spans())).not.toContain('hush');
});

test('spans of statements that differ in their values name one shape', async () => {
  const byEmail = (email: string) =>
    service.database.read(em => em.execute(`select id from author where email = '${email}'`));
  await byEmail('hush-1@example.org');
  await byEmail('hush-2@example.org');
  await service.database.read(em => em.execute('select count(*) from author'));
  const [one, other, counted] = telemetry
    .spans()
    .filter(span => span.operation === 'db.query')
    .map(span => span.attributes['keelson.statement.shape']);
  expect(other).toBe(one);
  expect(counted).not.toBe(one);
});

test('a connection that breaks is an attempt that failed, and one that did not', async () => {
  const cut = proxy.onceAt(/insert into/i, 'before');
  await service.database.session(async em => void (await em.insert(Author, { email: 'again@example.org' })));
  await cut;
  expect(tree()).toEqual([
    [
      'db.session ok',
      ['db.attempt DATABASE_CONNECTION_LOST', ['INSERT author DATABASE_CONNECTION_LOST']],
      ['db.attempt ok', ['INSERT author ok'], ['COMMIT ok']],
    ],
  ]);
  expect(telemetry.spans('db.session')[0]?.attributes['db.retry_count']).toBe(1);
  expect(telemetry.spans('db.attempt').map(({ attributes }) => attributes['db.attempt'])).toEqual([1, 2]);
  expect(telemetry.breadcrumbs('database.retry')).toMatchObject([{ facts: { kind: 'DATABASE_CONNECTION_LOST' } }]);
  expect(telemetry.errors()).toEqual([]);
});

test('a unit that its work has failed is an error of that kind', async () => {
  const failing = service.database.session(async em => {
    await em.execute('select 1');
    throw new RangeError('hush');
  });
  await expect(failing).rejects.toThrow('hush');
  expect(tree()).toEqual([['db.session RangeError', ['db.attempt RangeError', ['SELECT ok']]]]);
});

test('a statement that the server refuses has its SQLSTATE', async () => {
  await expect(service.database.session(em => em.execute('select 1 / 0'))).rejects.toThrow();
  const session = await service.database.openSession({ name: 'by.hand' });
  const error = await session.em.execute('select * from nowhere').catch((thrown: unknown) => translate(thrown));
  await session.rollback();
  telemetry.captureError(error);
  const facts = { session: 'by.hand', attempts: 1, sqlState: '42P01' };
  expect(telemetry.errors()).toMatchObject([{ error: { code: 'DATABASE_QUERY_FAILED' }, facts }]);
  const [unit, , statement] = telemetry.spans();
  expect(unit?.status).toBe('error');
  expect(telemetry.spans('db.session')[1]).toMatchObject({ status: 'error', errorKind: 'DATABASE_QUERY_FAILED' });
  expect(statement).toMatchObject({ status: 'error', attributes: { 'db.response.status_code': '22012' } });
});

test('a commit whose fate stays unknown is neither ok nor rolled back', async () => {
  const options = { commitProof: 'none' } as const;
  await using unsure = await connectPostgresqlService({ url: proxy.url(), telemetry, options });
  telemetry.clear();
  const cut = proxy.onceAtCommit('before');
  const unit = unsure.database.session(async em => void (await em.insert(Author, { email: 'unsure@example.org' })));
  await expect(unit).rejects.toMatchObject({ code: 'DATABASE_AMBIGUOUS_COMMIT' });
  await cut;
  expect(telemetry.spans('db.session')).toMatchObject([{ status: 'error', errorKind: 'DATABASE_AMBIGUOUS_COMMIT' }]);
  expect(telemetry.spans('db.attempt')).toMatchObject([{ status: 'error', errorKind: 'DATABASE_AMBIGUOUS_COMMIT' }]);
});

test('a session on demand is a span once it is used, whose first statement may need two attempts', async () => {
  const { database } = service;
  await database.read(em => em.execute('select 1'));
  telemetry.clear();
  const unused = await database.sessionOnDemand({ name: 'http.get' });
  unused.close();
  expect(telemetry.spans()).toEqual([]);
  const cut = proxy.onceAt(/select 7/i, 'before');
  const session = await database.sessionOnDemand({ name: 'http.get', readOnly: true });
  await session.open().em.execute('select 7');
  await cut;
  await session.open().commit();
  session.close();
  expect(tree()).toEqual([
    [
      'db.session ok',
      ['db.attempt DATABASE_CONNECTION_LOST', ['SELECT DATABASE_CONNECTION_LOST']],
      ['db.attempt ok', ['SELECT ok']],
    ],
  ]);
  expect(telemetry.spans('db.session')[0]?.attributes).toMatchObject({
    'db.operation': 'http.get',
    'db.retry_count': 1,
  });
});

test('attempts of a first statement that wait for an open breaker have failed, too', async () => {
  await using waiting = await connectPostgresqlService({ url: proxy.url(service.testDatabase.url), telemetry });
  telemetry.clear();
  await proxy.setMode('reset');
  const session = await waiting.database.sessionOnDemand({ name: 'http.get', readOnly: true });
  const answer = session.open().em.execute('select 7');
  await eventually(() => telemetry.spans('db.attempt').length >= 8);
  await proxy.setMode('pass');
  await answer;
  await session.open().commit();
  session.close();
  const kinds = telemetry.spans('db.attempt').map(span => span.errorKind ?? span.status);
  expect(kinds).toEqual([...kinds.slice(1).fill('DATABASE_CONNECTION_LOST'), 'ok']);
});

test('a session that its owner rolls back is neither ok nor an error', async () => {
  const session = await service.database.openSession();
  await session.em.execute('select 1');
  await session.rollback();
  expect(tree()).toEqual([['db.session unset', ['db.attempt unset', ['SELECT ok']]]]);
  expect(telemetry.spans('db.session')[0]?.attributes['db.outcome']).toBe('rolled back');
});

test('a health check and a ping leave no span', async () => {
  expect((await service.database.health()).status).toBe('pass');
  expect(telemetry.spans()).toEqual([]);
});

test('an error comes with the state of the pool', () => {
  const error = new Error('of somebody');
  telemetry.captureError(error);
  expect(telemetry.errors()).toMatchObject([
    { error, attached: { database: { state: 'connected', pool: { max: expect.any(Number), busy: 0 } } } },
  ]);
});

test('an attempt with very many statements has spans of the first hundred, and the number of all', async () => {
  await service.database.session(async em => {
    for (let statement = 0; statement < 120; statement++) await em.execute('select 1');
  });
  expect(telemetry.spans('SELECT')).toHaveLength(100);
  expect(telemetry.spans('db.attempt')[0]?.attributes['db.statement_count']).toBe(121);
});

test('without traceStatements there is a span for each attempt, and none for a statement', async () => {
  await using plain = await connectPostgresqlService({
    url: service.testDatabase.url,
    telemetry,
    options: { traceStatements: false },
  });
  telemetry.clear();
  await plain.database.read(em => em.execute('select 1'));
  expect(tree()).toEqual([['db.session ok', ['db.attempt ok']]]);
});

test('silent telemetry is asked for nothing on the way of a session', async () => {
  const asked: PropertyKey[] = [];
  let isStarted = false;
  const telemetry = new Proxy(silentTelemetry, {
    get(target, name) {
      if (isStarted && name !== 'enabled') asked.push(name);
      return Reflect.get(target, name);
    },
  });
  await using silent = await connectPostgresqlService({ url: service.testDatabase.url, telemetry });
  isStarted = true;
  await silent.database.session(async em => void (await em.insert(Author, { email: 'silent@example.org' })));
  const session = await silent.database.sessionOnDemand({ readOnly: true });
  await session.open().em.execute('select 1');
  await session.open().commit();
  session.close();
  expect(asked).toEqual([]);
});

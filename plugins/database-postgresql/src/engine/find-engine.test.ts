import { type DatabaseCapability, databaseCapabilities, type Engine } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { type Disguise, type DisguiseProxy, startDisguiseProxy } from '@keelson/test-support/disguise-proxy';
import {
  connectPostgresqlService,
  createPostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { queryOnce } from '@keelson/test-support/query-once';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

type Stated = NonNullable<PostgresqlServiceOptions['options']>['engine'];

const called = (text: string): Disguise => ({ statement: sql => sql.replace('version()', `'${text}'`) });
const without = (words: string): Disguise => ({ statement: sql => sql.replace(words, `no_such_${words}`) });
/** As PgBouncer names itself a process; a random number is rarely that of a process. */
const pooled: Disguise = { processId: () => 1_999_999_999 };

const cockroach = called('CockroachDB CCL v24.1.2 (x86_64-pc-linux-gnu, built 2024/07/01)');
const yugabyte = called('PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu, compiled by clang version 16, 64-bit');
const greenplum = called('PostgreSQL 9.4.26 (Greenplum Database 6.25.3) on x86_64-unknown-linux-gnu, compiled by gcc');

describe('what a service finds out about its database when it connects', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  async function found(disguise: Disguise, engine: Stated = 'auto') {
    await using proxy = await startDisguiseProxy(database.url, disguise);
    await using service = await connectPostgresqlService({ url: proxy.url(database.url), options: { engine } });
    return service.database.engine;
  }

  const lacking = ({ capabilities }: Engine): DatabaseCapability[] =>
    databaseCapabilities.filter(capability => !capabilities.has(capability));

  async function asAdmin(sql: string): Promise<void> {
    await queryOnce(database.adminUrl, sql);
  }

  test('is PostgreSQL, and that nothing is lacking, in one round trip', async () => {
    await using proxy = await startTcpProxy({ to: database.url });
    await using service = createPostgresqlService({ url: proxy.url() });
    const recording = proxy.recording();
    await service.database.connect();
    expect(recording.roundTrips).toBe(1);
    const { engine } = service.database;
    expect(engine).toMatchObject({
      product: 'postgresql',
      version: expect.stringMatching(/^1\d\./),
      conflicts: 'rare',
    });
    expect(engine).not.toHaveProperty('pooler');
    expect(lacking(engine)).toEqual([]);
    expect([...engine.isolationLevels]).toEqual(['read committed', 'repeatable read', 'serializable']);
    expect(engine.weaker).toEqual([]);
    expect(service.logger.findAll('database engine found')).toMatchObject([
      { facts: { product: 'postgresql', lacks: [] } },
    ]);
  });

  test.each([
    [
      'cockroachdb',
      '24.1.2',
      cockroach,
      ['commit-lookup', 'write-implies-id', 'copy', 'transactional-ddl', 'replica-lag'],
    ],
    ['yugabytedb', '2.20.1.3-b0', yugabyte, ['commit-lookup', 'write-implies-id', 'transactional-ddl', 'replica-lag']],
    ['unknown', expect.any(String), greenplum, ['commit-lookup', 'write-implies-id', 'copy', 'transactional-ddl']],
  ] as const)(
    'is %s by its own words, whose transaction ids and conflicts are not those of PostgreSQL',
    async (...row) => {
      const [product, version, disguise, lacks] = row;
      const engine = await found(disguise);
      expect(engine).toMatchObject({ product, version, conflicts: 'normal' });
      expect(lacking(engine)).toEqual(lacks);
      expect(engine.weaker).toHaveLength(lacks.length + 1);
    },
  );

  test('is Aurora by its function, and Citus by its extension, on which a write does not imply an id', async () => {
    await asAdmin(`create function aurora_version() returns text language sql as $$ select '16.4' $$`);
    expect(lacking(await found({}))).toEqual(['replica-lag']);
    await asAdmin('drop function aurora_version()');
    await asAdmin(`insert into pg_extension select 90000, 'citus', 10, 11, false, '13.0'`);
    const citus = await found({});
    await asAdmin(`delete from pg_extension where extname = 'citus'`);
    expect(citus).toMatchObject({ product: 'citus', conflicts: 'rare' });
    expect(lacking(citus)).toEqual(['write-implies-id']);
  });

  test.each<[DatabaseCapability, string]>([
    ['commit-lookup', 'pg_xact_status'],
    ['savepoints', 'savepoint'],
    ['session-locks', 'pg_try_advisory_xact_lock_shared'],
    ['listen', 'listen'],
    ['replica-lag', 'pg_last_wal_replay_lsn'],
    ['server-timeouts', 'local lock_timeout'],
  ])('refuses the question for %s: that is lacking, and the service starts', async (capability, words) => {
    const engine = await found(without(words));
    expect(lacking(engine)).toEqual([capability]);
    expect(engine.weaker).toEqual([{ promise: expect.any(String), why: expect.stringMatching(/refused .*\(\w{5}\)/) }]);
  });

  test('takes a lock and holds none: there are no locks', async () => {
    const deaf: Disguise = {
      statement: sql => sql.replace(/select pg_try_advisory_xact_lock_shared\(\d+\)/, 'select true'),
    };
    expect(lacking(await found(deaf))).toEqual(['session-locks']);
  });

  test('refuses an isolation level, or gives a weaker one: it is not among those that there are', async () => {
    const refusing = await found(without('isolation level serializable'));
    expect([...refusing.isolationLevels]).toEqual(['read committed', 'repeatable read']);
    const pretending = await found({
      statement: sql => sql.replace('begin isolation level serializable', 'begin isolation level repeatable read'),
    });
    expect([...pretending.isolationLevels]).toEqual(['read committed', 'repeatable read']);
    expect(pretending.weaker).toEqual([{ promise: expect.stringContaining('serializable'), why: expect.any(String) }]);
  });

  test('names no process at the start: nothing can be cancelled', async () => {
    expect(lacking(await found({ processId: () => undefined }))).toEqual(['cancel']);
  });

  test('names another process than the one that answers: a pooler that may lend it by transaction', async () => {
    const engine = await found(pooled);
    expect(engine).toMatchObject({ product: 'postgresql', pooler: 'unknown', pooling: 'transaction' });
    expect(lacking(engine)).toEqual(['session-state', 'prepared-statements', 'listen']);
  });

  test('prepares a statement under another name: the pooler keeps it for whichever connection it lends', async () => {
    const named = "select 'PGBOUNCER_1' as name from pg_prepared_statements";
    const engine = await found({
      ...pooled,
      statement: sql => sql.replace('select name from pg_prepared_statements', named),
    });
    expect(lacking(engine)).toEqual(['session-state', 'listen']);
  });

  test('answers as pgpool does', async () => {
    const engine = await found({
      ...pooled,
      statement: sql => sql.replace('show pool_version', `select '4.5.1' as pool_version`),
    });
    expect(engine.pooler).toBe('pgpool');
  });

  describe('when the limits of statements cannot be given at the start of a connection', () => {
    const refusing: Disguise = {
      refusal: parameters =>
        parameters.has('lock_timeout')
          ? { code: '08P01', message: 'unsupported startup parameter: lock_timeout' }
          : undefined,
    };
    const ignoring: Disguise = {
      statement: sql => sql.replaceAll(`select setting || '/' || coalesce(source, '')`, `select '0/default'`),
    };

    async function limitsIn(proxy: DisguiseProxy, engine: Stated = 'auto') {
      const options = { engine, statementTimeoutMs: 4_000, lockTimeoutMs: 3_000, idleInTransactionTimeoutMs: 2_000 };
      await using service = await connectPostgresqlService({ url: proxy.url(database.url), options });
      const limits = await service.database.session(em =>
        em.execute(
          `select current_setting('statement_timeout') as s, current_setting('lock_timeout') as l,
            current_setting('idle_in_transaction_session_timeout') as i`,
        ),
      );
      const own = await service.database.session(
        em => em.execute(`select current_setting('statement_timeout') as s, current_setting('lock_timeout') as l`),
        { statementTimeoutMs: 1_000 },
      );
      return { engine: service.database.engine, limits, own };
    }

    test.each([
      ['the pooler refuses them: the connection is opened without', refusing, 'pgbouncer'],
      ['the pooler ignores them', ignoring, undefined],
    ])('because %s, and they ride with BEGIN', async (_, disguise, pooler) => {
      await using proxy = await startDisguiseProxy(database.url, disguise);
      const { engine, limits, own } = await limitsIn(proxy);
      expect(engine.pooler).toBe(pooler);
      expect(lacking(engine)).toContain('startup-parameters');
      expect(limits).toEqual([{ s: '4s', l: '3s', i: '2s' }]);
      expect(own).toEqual([{ s: '1s', l: '3s' }]);
    });

    test('of a service that names several hosts', async () => {
      await using one = await startDisguiseProxy(database.url, refusing);
      await using other = await startDisguiseProxy(database.url, refusing);
      const { host } = new URL(other.url(database.url));
      const url = one.url(database.url).replace(/(127\.0\.0\.1:\d+)/, `$1,${host}`);
      await using service = await connectPostgresqlService({ url });
      expect(service.database.engine.capabilities.has('startup-parameters')).toBe(false);
    });
  });

  describe('the configuration', () => {
    test('restricts what was found, and gives the reason', async () => {
      const engine = await found(
        {},
        {
          capabilities: { copy: false },
          conflicts: 'normal',
          isolationLevels: ['read committed'],
          pooling: 'transaction',
        },
      );
      expect(lacking(engine)).toEqual(['session-state', 'prepared-statements', 'copy', 'listen']);
      expect([...engine.isolationLevels]).toEqual(['read committed']);
      expect(engine).toMatchObject({ conflicts: 'normal', pooler: 'unknown', pooling: 'transaction' });
      expect(engine.weaker).toContainEqual({ promise: 'bulkInsert uses INSERT.', why: 'the configuration says so' });
    });

    test('states what no question could show', async () => {
      const bouncer = { pooler: 'pgbouncer', capabilities: { 'prepared-statements': true } } as const;
      expect(lacking(await found(pooled, bouncer))).toEqual(['session-state', 'listen']);
      expect(lacking(await found(greenplum, { product: 'postgresql' }))).toEqual([]);
      const session = await found(pooled, { pooling: 'session' });
      expect(session).toMatchObject({ pooler: 'unknown', pooling: 'session' });
      expect(lacking(session)).toEqual([]);
    });

    test.each<[string, Disguise, Exclude<Stated, string>]>([
      ['a product that it is not', {}, { product: 'cockroachdb' }],
      ['PostgreSQL, which it is not', cockroach, { product: 'postgresql' }],
      ['a capability that was refuted', without('savepoint'), { capabilities: { savepoints: true } }],
      ['ids that another engine gives', cockroach, { capabilities: { 'commit-lookup': true } }],
      [
        'an isolation level that was refuted',
        without('isolation level serializable'),
        { isolationLevels: ['serializable'] },
      ],
    ])('may not claim %s', async (_, disguise, stated) => {
      await expect(found(disguise, stated)).rejects.toMatchObject({
        code: 'DATABASE_CONNECT_FAILED',
        cause: { code: 'DATABASE_ENGINE_DIFFERENT' },
      });
    });

    test('may not claim a pooling by session that was seen to be by transaction', async () => {
      const sharing: Disguise = {
        ...pooled,
        statement: sql => sql.replace('select pg_backend_pid() as pid', 'select 7 as pid'),
      };
      await expect(found(sharing, { pooling: 'session' })).rejects.toThrow(/engine.pooling: session/);
    });
  });

  test('a session on another engine stores and reads', async () => {
    await using proxy = await startDisguiseProxy(database.url, cockroach);
    await using service = await connectPostgresqlService({ url: proxy.url(database.url) });
    await service.database.migrate();
    await service.database.bulkInsert(Author, [{ email: 'one@example.org' }, { email: 'two@example.org' }]);
    expect(await service.database.read(em => em.count(Author))).toBe(2);
    expect(proxy.statements.join()).not.toMatch(/copy "|pg_current_xact_id\(\)::text/);
  });
});

import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  createPostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let server: PostgresServer;
let databases = 0;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.dispose());

/** An empty database, and what asks it as a superuser. */
const emptyDatabase = async () => {
  const name = `table_${++databases}`;
  const url = await server.createDatabase(name);
  return { url, query: (sql: string) => server.query(sql, [], name) };
};

type Options = PostgresqlServiceOptions['options'];

const withTokens = (url: string, commitTokens: NonNullable<Options>['commitTokens'] = {}, more: Options = {}) =>
  createPostgresqlService({ url, options: { ...more, commitProof: 'token', commitTokens } });

describe('the table of commit tokens', () => {
  test('is made at the start, in its schema, by however many start at once, and is no difference of the entities', async () => {
    const { url, query } = await emptyDatabase();
    const services = Array.from({ length: 6 }, () => withTokens(url, { tableName: 'proofs.kept' }));
    await Promise.all(services.map(({ database }) => database.connect()));
    expect(await query('select token, refused from proofs.kept')).toEqual([]);
    await using one = withTokens(url, { tableName: 'proofs.kept' });
    const { database } = one;
    await database.connect();
    await database.migrate();
    const { differences } = await database.validateSchema();
    expect(differences.filter(({ table }) => table !== 'author')).toEqual([]);
    expect((await database.draftMigration()).filter(sql => !sql.includes('author'))).toEqual([]);
    expect(database.commitProof).toBe('token');
    for (const service of services) await service[Symbol.asyncDispose]();
  });

  test('is not made by what only looks, nor where transaction ids are the proof', async () => {
    const { url, query } = await emptyDatabase();
    await using asIs = withTokens(url);
    await asIs.database.connect({ asIs: true });
    expect(asIs.database.commitProof).toBe('none');
    await using auto = await connectPostgresqlService({ url });
    expect(auto.database.commitProof).toBe('transaction-id');
    expect(await query("select to_regclass('keelson_commit_tokens') as found")).toEqual([{ found: null }]);
  });

  test('that cannot be made stops the start, with what makes it', async () => {
    const { url, query } = await emptyDatabase();
    await query(
      'revoke all on schema public from public; alter schema public owner to postgres; grant usage on schema public to keelson',
    );
    await using service = withTokens(url);
    await expect(service.database.connect()).rejects.toMatchObject({
      code: 'DATABASE_COMMIT_TOKENS',
      message: 'The table of commit tokens public.keelson_commit_tokens cannot be made (42501).',
      hint: expect.stringContaining('create table "public"."keelson_commit_tokens" (token uuid primary key, '),
    });
    expect(service.database.state.is).toBe('disconnected');
  });

  test('that was made by another role stops the start until its rights are granted, and what the hint says helps', async () => {
    const { url, query } = await emptyDatabase();
    await using owner = withTokens(url);
    await owner.database.connect();
    await query(
      'alter table keelson_commit_tokens owner to postgres; grant insert, select on keelson_commit_tokens to keelson',
    );
    await using service = withTokens(url);
    const error: unknown = await service.database.connect().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'DATABASE_COMMIT_TOKENS',
      message: expect.stringContaining('cannot be used (42501)'),
      hint: expect.stringContaining('grant select, insert, update, delete on "public"."keelson_commit_tokens" to'),
    });
    const [, grant = ''] = /: (grant .*) to </.exec(String(Reflect.get(Object(error), 'hint'))) ?? [];
    await query(`${grant} to keelson`);
    await service.database.connect();
  });

  test('that is another table stops the start', async () => {
    const { url, query } = await emptyDatabase();
    await query('create table keelson_commit_tokens (id int); alter table keelson_commit_tokens owner to keelson');
    await using service = withTokens(url);
    await expect(service.database.connect()).rejects.toMatchObject({
      code: 'DATABASE_COMMIT_TOKENS',
      hint: expect.stringContaining('Set commitTokens.tableName to another table'),
    });
  });

  test('is not asked for where the server takes no writes for now, but must be there', async () => {
    const { url, query } = await emptyDatabase();
    await using missing = withTokens(`${url}?options=-c%20default_transaction_read_only%3Don`);
    await expect(missing.database.connect()).rejects.toMatchObject({ code: 'DATABASE_COMMIT_TOKENS' });
    await using writer = withTokens(url);
    await writer.database.connect();
    await using reader = withTokens(`${url}?options=-c%20default_transaction_read_only%3Don`);
    await reader.database.connect();
    expect(await query('select 1 as one from keelson_commit_tokens')).toEqual([]);
  });

  test('is emptied of tokens that have expired, by one instance and another, and of no others', async () => {
    const { url, query } = await emptyDatabase();
    await using setup = withTokens(url);
    await setup.database.connect();
    await setup.database.migrate();
    // As old as the ids say, and expired or not as the server says.
    const old = 'gen_random_uuid()::text';
    await query(`insert into keelson_commit_tokens
      select overlay(${old} placing '00000000-0000-7' from 1)::uuid, now() + n % 2 * interval '1 day' - interval '1 second'
      from generate_series(1, 24000) n`);
    await setup.database.session(em => em.insert(Author, { email: 'young@example.org' }));
    await query(
      'update keelson_commit_tokens set expires_at = now() where token > $$00000001-0000-7000-8000-000000000000$$',
    );
    await using one = withTokens(url, { cleanEveryMs: 20 });
    await using other = withTokens(url, { cleanEveryMs: 20 });
    await Promise.all([one.database.connect(), other.database.connect()]);
    await eventually(
      async () => expect(await query('select count(*)::int from keelson_commit_tokens')).toEqual([{ count: 12_001 }]),
      {
        timeoutMs: 20_000,
      },
    );
    await setup.database.read(em => em.count(Author));
    expect([...one.logger.lines('warn'), ...other.logger.lines('warn')]).toEqual([]);
  });

  test('that cannot be cleaned is a warning, and no failure of anything else; after the stop nothing is cleaned', async () => {
    const { url, query } = await emptyDatabase();
    const service = withTokens(url, { cleanEveryMs: 10 });
    await service.database.connect();
    await service.database.migrate();
    await query(
      'alter table keelson_commit_tokens owner to postgres; grant insert, select, update on keelson_commit_tokens to keelson',
    );
    await eventually(() => expect(service.logger.find('commit tokens were not deleted')?.level).toBe('warn'));
    await service.database.session(em => em.insert(Author, { email: 'stored@example.org' }));
    await service[Symbol.asyncDispose]();
    await eventually(async () =>
      expect(
        await query('select 1 from pg_stat_activity where usename = $$keelson$$ and datname = current_database()'),
      ).toEqual([]),
    );
  });
});

import { type Clock, type Diagnosis, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { DatabaseModel } from '@keelson/database';
import plugin from '@keelson/database-postgresql';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { queryOnce } from '@keelson/test-support/query-once';
import { startReplicatedPostgres } from '@keelson/test-support/replication';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const Author = defineEntity({
  name: 'Author',
  tableName: 'author',
  properties: { id: p.integer().primary(), email: p.text(), name: p.text().nullable() },
});

class CreateAuthors extends Migration {
  override up(): void {
    this.addSql('create table author (id serial primary key, email text not null, name text)');
  }
}

const model: DatabaseModel = { entities: [Author], migrations: [CreateAuthors] };

interface Given {
  readonly url?: string;
  readonly options?: object;
  readonly models?: readonly DatabaseModel[];
  readonly clock?: Clock;
  readonly migrate?: boolean;
}

describe('what keelson doctor reports on PostgreSQL', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterAll(() => database[Symbol.asyncDispose]());

  async function findings({ url = database.url, options, models = [model], clock, ...given }: Given = {}) {
    const values = { database: { url, ...options, ...(given.migrate && { migrations: { atStart: true } }) } };
    const services = models.map(model => [DatabaseModel, model] as const);
    await using kernel = await createTestKernel({ plugins: [plugin], values, services, clock: clock ?? systemClock });
    const found = (await kernel.kernel.diagnose()).get('database') ?? [];
    return (name: string): Diagnosis | undefined => found.find(finding => finding.name === name);
  }

  async function asAdmin(sql: string): Promise<void> {
    await queryOnce(database.adminUrl, sql);
  }

  const roleOf = (url: string) => new URL(url).username;

  test('says of a fresh one that its migrations are missing, and its tables with them', async () => {
    const found = await findings();
    expect(found('migrations')).toMatchObject({ status: 'warn', output: 'Not applied: CreateAuthors.' });
    expect(found('schema')).toMatchObject({ status: 'warn', hint: expect.stringContaining('keelson migrate') });
  });

  test('has nothing to say against one that is as it should be', async () => {
    const found = await findings({ migrate: true });
    for (const name of ['version', 'privileges', 'clock skew', 'role', 'timeouts', 'connections', 'writes']) {
      expect(found(name), name).toMatchObject({ status: 'pass' });
    }
    expect(found('health')).toMatchObject({ status: 'pass' });
    expect(found('migrations')).toMatchObject({ status: 'pass', output: 'All 1 are applied.' });
    expect(found('schema')).toMatchObject({ status: 'pass' });
    expect(found('version')?.output).toMatch(/^PostgreSQL 1\d/);
    expect(found('latency')?.output).toMatch(/^A round trip takes \d+\.?\d* ms\.$/);
    expect(found('timeouts')?.output).toBe(
      'statement_timeout: 30000 ms, lock_timeout: 10000 ms, idle_in_transaction_session_timeout: 60000 ms.',
    );
  });

  test('reports two foreign keys of a many-to-many table that are there and do something else', async () => {
    const Reader = defineEntity({
      name: 'Reader',
      tableName: 'reader',
      properties: { id: p.integer().primary(), authors: () => p.manyToMany(Author).owner().pivotTable('readings') },
    });
    class CreateReaders extends Migration {
      override up(): void {
        this.addSql('create table author (id serial primary key, email text not null, name text)');
        this.addSql('create table reader (id serial primary key)');
        this.addSql(`create table readings (reader_id int not null references reader,
          author_id int not null references author, primary key (reader_id, author_id))`);
      }
    }
    await using own = await createTestDatabase();
    const models = [{ entities: [Author, Reader], migrations: [CreateReaders] }];
    const found = await findings({ url: own.url, models, migrate: true });
    const { status, output = '' } = found('schema') ?? {};
    expect(status).toBe('fail');
    expect(output.match(/differs/g)).toHaveLength(2);
    expect(output).not.toContain('missing');
  });

  test('reports a schema that differs though nothing is pending', async () => {
    await findings({ migrate: true });
    await asAdmin('alter table author drop column name');
    const found = await findings();
    await asAdmin('alter table author add column name text');
    expect(found('schema')).toMatchObject({ status: 'fail', output: expect.stringContaining('name') });
  });

  test('reports a migration that this version does not have', async () => {
    await findings({ migrate: true });
    const found = await findings({ models: [] });
    expect(found('migrations')).toMatchObject({ status: 'warn', output: expect.stringContaining('CreateAuthors') });
  });

  test('reports a role that may not create tables, when there are migrations', async () => {
    await asAdmin(`create role reader_${database.name} login password 'secret'`);
    await findings({ migrate: true });
    await asAdmin(`grant select on all tables in schema public to reader_${database.name}`);
    const url = new URL(database.url);
    url.username = `reader_${database.name}`;
    url.password = 'secret';
    const found = await findings({ url: url.href });
    await asAdmin(`drop owned by reader_${database.name}`);
    await asAdmin(`drop role reader_${database.name}`);
    expect(found('privileges')).toMatchObject({
      status: 'warn',
      output: `Role reader_${database.name} may connect, and may not create in schema public.`,
      hint: expect.stringContaining('GRANT CREATE ON SCHEMA public'),
    });
  });

  test('reports the checks that it was not allowed to run', async () => {
    await findings({ migrate: true });
    await asAdmin(`create role stranger_${database.name} login password 'secret'`);
    const url = new URL(database.url);
    url.username = `stranger_${database.name}`;
    url.password = 'secret';
    const found = await findings({ url: url.href });
    await asAdmin(`drop role stranger_${database.name}`);
    expect(found('migrations')).toMatchObject({ status: 'fail', output: expect.stringContaining('DATABASE_QUERY') });
    expect(found('writes')).toMatchObject({ status: 'pass' });
  });

  test('reports whether the table of commit tokens is there, where they are the proof of commits', async () => {
    expect((await findings())('commit tokens')).toBeUndefined();
    const options = { commitProof: 'token' };
    expect((await findings({ options }))('commit tokens')).toEqual({
      name: 'commit tokens',
      status: 'pass',
      output: 'The table public.keelson_commit_tokens exists.',
    });
    const values = { database: { url: database.url, ...options } };
    await using kernel = await createTestKernel({ plugins: [plugin], values });
    await queryOnce(database.url, 'drop table keelson_commit_tokens');
    expect((await kernel.kernel.diagnose()).get('database')).toContainEqual({
      name: 'commit tokens',
      status: 'warn',
      output: 'The table public.keelson_commit_tokens is missing.',
      hint: expect.stringContaining('create table "public"."keelson_commit_tokens" (token uuid primary key'),
    });
  });

  test('warns of a superuser', async () => {
    const found = await findings({ url: database.adminUrl });
    expect(found('role')).toMatchObject({
      status: 'warn',
      output: `Role ${roleOf(database.adminUrl)} is a superuser.`,
    });
  });

  test('counts how many instances fit, less what is kept for superusers', async () => {
    const rows = await queryOnce(database.url, 'show max_connections');
    const max = Number(rows[0]?.max_connections);
    const few = await findings({ options: { pool: { max: max - 10 } } });
    expect(few('connections')).toMatchObject({ status: 'warn', output: expect.stringMatching(/^1 instance of/) });
    const none = await findings({ options: { pool: { max } } });
    expect(none('connections')).toMatchObject({ status: 'fail', output: expect.stringMatching(/^0 instances of/) });
    expect(none('connections')?.output).toContain(`of the ${max - 3} connections that its role may use`);
  });

  test.each([
    ['ahead of', -5_000, 'warn'],
    ['behind', 300_000, 'fail'],
  ])('reports a server that is %s the service', async (where, offsetMs, status) => {
    const clock = { ...systemClock, date: () => new Date(Date.now() + offsetMs) };
    const found = await findings({ clock });
    expect(found('clock skew')).toMatchObject({ status, output: expect.stringContaining(`${where} the service`) });
  });

  test('distinguishes a standby from a server that takes writes', async () => {
    await using pair = await startReplicatedPostgres();
    const url = new URL(pair.standby.url);
    url.searchParams.set('target_session_attrs', 'any');
    const found = await findings({ url: url.href, models: [] });
    expect(found('writes')).toMatchObject({ status: 'fail', output: expect.stringContaining('standby') });
  }, 30_000);
});

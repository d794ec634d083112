import type { DatabaseModel, SchemaDifference, SchemaReport } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const Customer = defineEntity({
  name: 'Customer',
  tableName: 'customer',
  properties: { id: p.integer().primary(), email: p.string().unique() },
});

const Invoice = defineEntity({
  name: 'Invoice',
  tableName: 'invoice',
  indexes: [{ name: 'invoice_day_index', properties: ['day'] }],
  checks: [{ name: 'invoice_total_check', expression: 'total >= 0' }],
  properties: {
    id: p.integer().primary(),
    customer: () => p.manyToOne(Customer),
    total: p.integer(),
    day: p.date(),
    note: p.text().nullable(),
    state: p.enum(['open', 'paid']).default('open'),
    details: p.json<object>().nullable(),
    at: p.datetime().defaultRaw('now()'),
    amount: p.bigint(),
    tags: p.array().nullable(),
  },
});

const tables = `
  create table customer (id serial primary key, email varchar(255) not null,
    constraint customer_email_unique unique (email));
  create table invoice (id serial primary key, customer_id int not null constraint invoice_customer_id_foreign references customer (id), total int not null,
    day date not null, note text, state text not null default 'open', details jsonb,
    at timestamptz not null default now(), amount bigint not null, tags text[],
    constraint invoice_total_check check (total >= 0),
    constraint invoice_state_check check (state in ('open', 'paid')));
  create index invoice_day_index on invoice (day)`;

class CreateTables extends Migration {
  override up(): void {
    this.addSql(tables);
  }
}

const model: DatabaseModel = { entities: [Customer, Invoice], migrations: [CreateTables] };

describe('validateSchema', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    service = await connectPostgresqlService({ url: testDatabase.url, models: [model] });
  });

  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });

  const run = (sql: string) =>
    service.database.session(async em => {
      let found: unknown;
      for (const statement of sql.split(';')) found = await em.execute(statement);
      return found;
    });
  async function after(sql: string): Promise<SchemaReport> {
    await service.database.migrate();
    await run(sql);
    return service.database.validateSchema();
  }

  test('finds nothing where the tables are as the entities say', async () => {
    await service.database.migrate();
    expect(await service.database.validateSchema()).toEqual({ status: 'valid', differences: [] });
    expect(service.database.stats()).toMatchObject({ busy: 0 });
  });

  test('finds every table that is missing', async () => {
    const { status, differences } = await service.database.validateSchema();
    expect(status).toBe('different');
    expect(differences.map(({ kind, table }) => [kind, table])).toEqual([
      ['missing-table', 'customer'],
      ['missing-table', 'invoice'],
    ]);
    expect(differences[0]?.message).toBe('The table customer is missing.');
  });

  const failures: [sql: string, expected: Partial<SchemaDifference>][] = [
    ['alter table invoice drop column note', { kind: 'missing-column', column: 'note', expected: 'text' }],
    [
      'alter table invoice alter column total type numeric(10,2)',
      { kind: 'type', column: 'total', expected: 'int', found: 'numeric(10,2)' },
    ],
    [
      'alter table invoice alter column note set not null',
      { kind: 'nullable', column: 'note', expected: 'null allowed', found: 'not null' },
    ],
    [
      'alter table invoice alter column total drop not null',
      { kind: 'nullable', column: 'total', expected: 'not null', found: 'null allowed' },
    ],
    [
      'alter table invoice alter column at drop default',
      { kind: 'default', column: 'at', expected: 'a default', found: 'no default' },
    ],
    ['drop index invoice_day_index', { kind: 'missing-index', name: 'invoice_day_index' }],
    [
      'alter table customer drop constraint customer_email_unique',
      { kind: 'missing-constraint', table: 'customer', name: 'customer_email_unique' },
    ],
    [
      'alter table invoice drop constraint invoice_total_check',
      { kind: 'missing-constraint', name: 'invoice_total_check' },
    ],
    [
      'alter table invoice drop constraint invoice_customer_id_foreign',
      { kind: 'missing-constraint', message: 'Table invoice: the foreign key (customer_id) to customer is missing.' },
    ],
    [
      `alter table invoice drop constraint invoice_total_check;
       alter table invoice add constraint invoice_total_check check (total > 7)`,
      { kind: 'constraint', name: 'invoice_total_check' },
    ],
    [
      'drop index invoice_day_index; create index invoice_day_index on invoice (total)',
      { kind: 'index', name: 'invoice_day_index' },
    ],
    [
      'alter table invoice add column must integer not null',
      { kind: 'unknown-required-column', column: 'must', message: expect.stringContaining('every insert would fail') },
    ],
    ['alter table invoice rename column note to remark', { kind: 'missing-column', column: 'note' }],
  ];

  test.each(failures)('a failure: %s', async (sql, expected) => {
    const { status, differences } = await after(sql);
    expect(status).toBe('different');
    const found = differences.filter(({ severity }) => severity === 'failure');
    expect(found).toEqual([expect.objectContaining({ table: 'invoice', ...expected })]);
    expect(found[0]?.message).toMatch(/^[A-Z].*\.$/);
  });

  const harmless: [sql: string, expected: Partial<SchemaDifference>][] = [
    [
      'alter table invoice rename constraint invoice_customer_id_foreign to my_name',
      { kind: 'name', name: 'my_name', expected: 'invoice_customer_id_foreign' },
    ],
    ['create table elsewhere (id integer)', { kind: 'unknown-table', table: 'elsewhere' }],
    ['alter table invoice add column extra integer', { kind: 'unknown-column', column: 'extra' }],
    ['alter table invoice add column extra integer not null default 1', { kind: 'unknown-column', column: 'extra' }],
    ['create index of_my_own on invoice (total)', { kind: 'unknown-index', name: 'of_my_own' }],
    [
      'alter table invoice add constraint my_check check (total < 1000)',
      { kind: 'unknown-constraint', name: 'my_check' },
    ],
    ['alter table invoice alter column note set default $$none$$', { kind: 'default', column: 'note' }],
  ];

  test.each(harmless)('only information: %s', async (sql, expected) => {
    const { status, differences } = await after(sql);
    expect(status).toBe('valid');
    expect(differences).toEqual([expect.objectContaining({ severity: 'info', ...expected })]);
  });

  test('changes nothing', async () => {
    await service.database.validateSchema();
    const found = await run(`select count(*)::int as count from pg_tables where schemaname = 'public'`);
    expect(found).toEqual([{ count: 0 }]);
  });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatabaseModel, migrateCommands } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const Order = defineEntity({
  name: 'Order',
  tableName: 'order_line',
  properties: {
    id: p.integer().primary(),
    note: p.text().default('of `$' + '{x}`; and more'),
    count: p.integer().nullable(),
  },
});

class First extends Migration {
  override up(): void {
    this.addSql('create table first (id integer)');
  }

  override down(): void {
    this.addSql('drop table first');
  }
}

const model: DatabaseModel = { entities: [Order], migrations: [First] };

describe('the commands of keelson migrate', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let directory: string;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    directory = await mkdtemp(join(tmpdir(), 'keelson-migrate-'));
    service = await connectPostgresqlService({ url: testDatabase.url, models: [model] });
  });

  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  async function run(name: string, ...words: string[]): Promise<string[]> {
    const lines: string[] = [];
    await find(name)?.run({ words, out: line => lines.push(line) });
    return lines;
  }

  function find(name: string) {
    return migrateCommands(service.database, directory).find(each => each.name === name);
  }

  test('up, status and down say what they did', async () => {
    expect(await run('status')).toEqual(['pending  First']);
    expect(await run('up', 'First')).toEqual(['applied First']);
    expect(await run('up')).toEqual(['nothing left to apply']);
    expect(await run('status')).toEqual([expect.stringMatching(/^applied {2}\d{4}-.*Z {2}First$/)]);
    expect(await run('down')).toEqual(['undid First']);
    expect(await run('down')).toEqual(['nothing is applied']);
  });

  test('create writes a migration after which the tables are as the entities say', async () => {
    await run('up');
    expect(await run('create', 'AddOrders2')).toEqual([expect.stringMatching(/^wrote add-orders2\.ts/)]);
    const text = await readFile(join(directory, 'add-orders2.ts'), 'utf8');
    expect(text).toContain('export class AddOrders2 extends Migration {');
    expect(text).not.toMatch(/drop/);
    const statements = [...text.matchAll(/this\.addSql\((`(?:[^`\\]|\\.)*`)\)/gs)].map(([, literal = '']) =>
      String(new Function(`return ${literal}`)()),
    );
    expect(statements).toEqual(await service.database.draftMigration());
    await service.database.session(async em => {
      for (const statement of statements) await em.execute(statement);
    });
    expect(await service.database.validateSchema()).toMatchObject({ status: 'valid' });
    expect(await service.database.draftMigration()).toEqual([]);
  });

  test('create adds what is missing, and leaves alone what no entity knows', async () => {
    const statements = await service.database.draftMigration();
    await service.database.session(async em => {
      for (const statement of statements) await em.execute(statement);
      await em.execute('alter table order_line drop column count, add column amount integer');
      await em.execute('create index of_my_own on order_line (note)');
      await em.execute('alter table order_line add constraint my_check check (amount < 1000)');
      await em.execute('create table elsewhere (id integer)');
    });
    expect(await service.database.draftMigration()).toEqual(['alter table "order_line" add "count" int null']);
  });

  test('status says why an applied migration may not be part of this version', async () => {
    await run('up');
    await using older = await connectPostgresqlService({ url: testDatabase.url, models: [{ entities: [] }] });
    const lines: string[] = [];
    const status = migrateCommands(older.database, directory).find(each => each.name === 'status');
    await status?.run({ words: [], out: line => lines.push(line) });
    expect(lines).toEqual([
      expect.stringMatching(/^applied {2}.* {2}First {2}\(not part of this version\)$/),
      'a newer version has the migrations that are not part of this version, or src has them and is not built',
    ]);
  });

  test('create refuses while a migration is not applied, which the draft would repeat', async () => {
    await expect(run('create', 'AddOrders')).rejects.toMatchObject({
      code: 'DATABASE_MIGRATION_PENDING',
      facts: { pending: ['First'] },
    });
    expect(await readdir(directory)).toEqual([]);
  });

  test('create refuses a name that no class can have, and a file that is there', async () => {
    await run('up');
    await expect(run('create', 'add-orders')).rejects.toMatchObject({ code: 'DATABASE_MIGRATION_NAME' });
    await expect(run('create')).rejects.toMatchObject({ code: 'DATABASE_MIGRATION_NAME' });
    await run('create', 'AddOrders');
    await expect(run('create', 'AddOrders')).rejects.toMatchObject({
      code: 'DATABASE_MIGRATION_UNWRITABLE',
      hint: 'The file exists already; choose another name, or move the file.',
    });
  });

  test('create writes into an absolute folder as it stands, and refuses one that is not there', async () => {
    await run('up');
    const elsewhere = await mkdtemp(join(tmpdir(), 'keelson-elsewhere-'));
    await run('create', 'AddOrders', elsewhere);
    expect([await readdir(elsewhere), await readdir(directory)]).toEqual([['add-orders.ts'], []]);
    await rm(elsewhere, { recursive: true });
    for (const folder of [elsewhere, 'nowhere']) {
      await expect(run('create', 'AddOrders', folder)).rejects.toMatchObject({
        code: 'DATABASE_MIGRATION_UNWRITABLE',
        hint: 'Its folder does not exist: create it first.',
      });
    }
  });

  test('report to a program what they did as values, not as lines', async () => {
    const resultOf = (name: string, ...words: string[]) => find(name)?.run({ words, out: () => {} });
    expect(await resultOf('status')).toEqual({ applied: [], pending: ['First'], unknown: [] });
    expect(await resultOf('up')).toEqual({ applied: ['First'] });
    expect(await resultOf('status')).toMatchObject({ applied: [{ name: 'First', at: expect.any(Date) }], pending: [] });
    expect(await resultOf('down')).toEqual({ reverted: 'First' });
    expect(await resultOf('down')).toEqual({ reverted: null });
    await run('up');
    expect(await resultOf('create', 'AddOrders')).toEqual({ wrote: 'add-orders.ts' });
  });
});

import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definePlugin, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, expect, test } from 'vitest';
import { embeddedDatabase } from './embedded-database.js';
import { templateKey } from './template-key.js';

const directory = mkdtempSync(join(tmpdir(), 'keelson-templates-'));
const own = mkdtempSync(join(tmpdir(), 'keelson-templates-'));
afterAll(() => {
  for (const folder of [directory, own]) rmSync(folder, { recursive: true, force: true });
});

const modelPlugin = (onAsked: () => void) =>
  definePlugin({
    name: 'model',
    requires: [DatabaseService],
    register: ({ bind }) =>
      void bind(DatabaseModel).toDynamicValue(() => {
        onAsked();
        return sampleModel;
      }),
  });

let prepared = 0;
const prepare = async (database: DatabaseService) => {
  prepared += 1;
  await database.session(em => em.insert(Author, { email: 'ada@example.org' }));
};

async function started(folder = directory, onAsked = () => {}) {
  const kernel = await createTestKernel({
    plugins: [embeddedDatabase({ directory: folder, prepare }), modelPlugin(onAsked)],
    values: { database: { migrations: { atStart: true } } },
    clock: systemClock,
  });
  return {
    kernel,
    database: kernel.container.get(DatabaseService),
    [Symbol.asyncDispose]: async () => void (await kernel.stop()),
  };
}

const emails = (database: DatabaseService) => database.read(async em => (await em.find(Author, {})).map(a => a.email));

test('the first start migrates and prepares a template, and each start has a copy of its own', {
  timeout: 180_000,
}, async () => {
  await using first = await started();
  expect(first.kernel.logger.find('migrations applied')?.facts).toMatchObject({ count: 1 });
  expect(readdirSync(directory)).toHaveLength(1);
  await first.database.session(em => em.insert(Author, { email: 'grace@example.org' }));

  await using second = await started();
  expect(second.kernel.logger.find('migrations applied')).toBeUndefined();
  expect(await emails(second.database)).toEqual(['ada@example.org']);
  expect(await emails(first.database)).toHaveLength(2);
  expect(prepared).toBe(1);
});

test('a template that another process has made meanwhile is not prepared again', { timeout: 180_000 }, async () => {
  await using _first = await started();
  const before = prepared;
  let asked = 0;
  await using second = await started(own, () => {
    asked += 1;
    // After the plugin has looked for a template, and before it reads it.
    if (asked === 2) cpSync(directory, own, { recursive: true });
  });
  expect(readdirSync(own)).toEqual(readdirSync(directory));
  expect(await emails(second.database)).toEqual(['ada@example.org']);
  expect(prepared).toBe(before);
});

class One extends Migration {
  override up(): void {
    this.addSql('select 1');
  }
}
const named = (text: string) =>
  class Named extends Migration {
    override up(): void {
      this.addSql(text);
    }
  };

test('a template is another when its migrations, what prepares it or its key differ', async () => {
  const { optionsSchema } = await import('../options.js');
  const config = optionsSchema.parse({ migrations: { atStart: true } });
  const keys = [
    templateKey({ config, models: [] }),
    templateKey({ config, models: [{ entities: [], migrations: [One] }] }),
    templateKey({ config, models: [{ entities: [], migrations: [named('select 2')] }] }),
    templateKey({ config, models: [], prepare }),
    templateKey({ config, models: [], key: 'other' }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  const atHand = optionsSchema.parse({});
  expect(templateKey({ config: atHand, models: [{ entities: [], migrations: [One] }] })).toBe(
    templateKey({ config: atHand, models: [] }),
  );
});

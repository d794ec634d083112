import { definePlugin, HealthService, Metrics } from '@keelson/core';
import { RecordingMetrics } from '@keelson/core/testing';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import health from '@keelson/health';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { filling } from '@keelson/test-support/filling';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { expect, test } from 'vitest';

const Visit = defineEntity({ name: 'Visit', tableName: 'visit', properties: { id: p.integer().primary() } });

class CreateVisits extends Migration {
  override up(): void {
    this.addSql('create table visit (id serial primary key)');
  }
}

test('two databases in one service have entities, migrations, pools, health and metrics of their own', async () => {
  await using main = await createTestDatabase();
  await using reporting = await createTestDatabase();
  const metrics = new RecordingMetrics();
  const models = definePlugin({
    name: 'models',
    requires: [DatabaseService],
    register({ bind }) {
      bind(DatabaseModel).toConstantValue(sampleModel);
      bind(DatabaseModel).toConstantValue({ entities: [Visit], migrations: [CreateVisits], database: 'reporting' });
    },
  });
  const database = { migrations: { atStart: true } };
  await using kernel = await startKernel({
    plugins: {
      metrics: filling('metrics', Metrics, metrics),
      health,
      database: postgresql,
      'database/reporting': postgresql,
      models,
    },
    values: {
      database: { ...database, url: main.url },
      'database/reporting': { ...database, url: reporting.url, pool: { max: 3 } },
    },
  });

  const first = kernel.container.get(DatabaseService);
  const second = kernel.container.get(DatabaseService, { name: 'reporting' });
  await first.session(async em => {
    em.create(Author, { email: 'a@example.org' });
    await second.session(async inner => void inner.create(Visit, {}));
  });
  expect(await first.read(em => em.count(Author))).toBe(1);
  expect(await second.read(em => em.count(Visit))).toBe(1);
  await expect(second.read(em => em.execute('select * from author'))).rejects.toMatchObject({
    kind: 'undefined-table',
  });

  expect([first.stats().max, second.stats().max]).toEqual([10, 3]);
  const named = (name: string) => metrics.value('db.client.connection.max', { 'db.client.connection.pool.name': name });
  expect([named('database'), named('database/reporting')]).toEqual([10, 3]);
  await eventually(() => {
    const names = kernel.container
      .get(HealthService)
      .report('ready')
      .checks.map(check => check.name);
    expect(names).toEqual(expect.arrayContaining(['database', 'database-reporting']));
  });
});

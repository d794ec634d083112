import { Migration } from '@mikro-orm/migrations';
import { describe, expect, test } from 'vitest';
import { namedMigrations, refuseMinified } from './named-migrations.js';

/** As a minifier leaves a class: the name of the source is gone. */
const minified = (() => {
  class t extends Migration {
    override up(): void {}
  }
  return t;
})();

class AddOrders extends Migration {
  override up(): void {}
}

const namesOf = (...models: Parameters<typeof namedMigrations>[0]) => namedMigrations(models).map(({ name }) => name);

describe('the name of a migration', () => {
  test('is that of its class in a list, and its key in an object, in the order of the models', () => {
    const models = [
      { entities: [], migrations: [AddOrders] },
      { entities: [] },
      { entities: [], migrations: { AddPayments: minified, AddLines: AddOrders } },
    ];
    expect(namesOf(...models)).toEqual(['AddOrders', 'AddPayments', 'AddLines']);
  });

  test('is refused when a minifier has changed it, because the migration would run again', () => {
    const listed = namedMigrations([{ entities: [], migrations: [AddOrders, minified] }]);
    expect(() => refuseMinified(listed)).toThrow(
      expect.objectContaining({
        code: 'DATABASE_MIGRATION_NAME',
        message: 'These names of migrations are as short as minified names: "t". Nothing was done.',
      }),
    );
    refuseMinified(namedMigrations([{ entities: [], migrations: { AddOrders, AddPayments: minified } }]));
  });
});

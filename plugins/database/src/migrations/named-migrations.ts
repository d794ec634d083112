import { KeelsonError } from '@keelson/core';
import type { DatabaseModel, MigrationClass } from '../model.js';

/** A migration with the name under which it is recorded. */
export interface NamedMigration {
  readonly name: string;
  readonly migration: MigrationClass;
  /** Whether the name stands in the model. Otherwise it is that of the class, which a minifier changes. */
  readonly isExplicit: boolean;
}

/** The migrations of all models, in the order in which they run. */
export function namedMigrations(models: readonly DatabaseModel[]): readonly NamedMigration[] {
  return models.flatMap(({ migrations = [] }): readonly NamedMigration[] =>
    isList(migrations)
      ? migrations.map(migration => ({ name: migration.name, migration, isExplicit: false }))
      : Object.entries(migrations).map(([name, migration]) => ({ name, migration, isExplicit: true })),
  );
}

/**
 * Refuses the name of a class that a minifier may have shortened: under it the migration would not be found among those
 * that are applied, and would run again.
 *
 * @throws KeelsonError DATABASE_MIGRATION_NAME.
 */
export function refuseMinified(migrations: readonly NamedMigration[]): void {
  const minified = migrations.filter(({ name, isExplicit }) => !isExplicit && name.length <= longestMinifiedName);
  if (minified.length === 0) return;
  const names = minified.map(({ name }) => JSON.stringify(name));
  throw new KeelsonError({
    code: 'DATABASE_MIGRATION_NAME',
    message: `These names of migrations are as short as minified names: ${names.join(', ')}. Nothing was done.`,
    hint: 'Pass the migrations of the DatabaseModel as an object, because a minifier does not change its keys: { CreateOrders, AddPayments }.',
    facts: { migrations: minified.map(({ name }) => name) },
  });
}

/** A bundle has thousands of names, so the shortest do not suffice. */
const longestMinifiedName = 3;

function isList(
  migrations: NonNullable<DatabaseModel['migrations']>,
): migrations is Extract<DatabaseModel['migrations'], readonly unknown[]> {
  return Array.isArray(migrations);
}

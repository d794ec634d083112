import { DatabaseSchema, SchemaComparator, type SchemaDifference, SqlSchemaGenerator } from '@mikro-orm/sql';
import type { Orm } from '../orm/orm.js';

/**
 * What the entities say and the live schema has not, and the other way round, but for the tables in `own`. Reads the
 * catalogs, changes nothing.
 */
export async function compareSchema({ em, config }: Orm, own: readonly string[] = []): Promise<SchemaDifference> {
  const platform = em.getPlatform();
  const target = new SqlSchemaGenerator(em).getTargetSchema();
  const namespaces = target.getNamespaces();
  const skipped = [...own];
  const live = await DatabaseSchema.create(
    em.getConnection(),
    platform,
    config,
    undefined,
    namespaces,
    undefined,
    skipped,
  );
  cutNames(target);
  return new SchemaComparator(platform).compare(live, target);
}

const longestNameBytes = 63;

/** As the server does: of a name that is longer it keeps the beginning. */
function cutNames(target: DatabaseSchema): void {
  for (const table of target.getTables()) {
    for (const index of table.getIndexes()) index.keyName = cut(index.keyName);
    for (const check of table.getChecks()) check.name = cut(check.name);
    const keys = Object.values(table.getForeignKeys());
    for (const key of keys) key.constraintName = cut(key.constraintName);
    table.setForeignKeys(Object.fromEntries(keys.map(key => [key.constraintName, key])));
  }
}

function cut(name: string): string {
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept + character) > longestNameBytes) break;
    kept += character;
  }
  return kept;
}

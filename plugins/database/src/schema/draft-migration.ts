import { DatabaseSchema, SchemaComparator, type SchemaDifference, SqlSchemaGenerator } from '@mikro-orm/sql';
import { translate } from '../errors/translate.js';
import { withDirectConnections } from '../orm/direct-connections.js';
import type { Orm } from '../orm/orm.js';

/** The statements that add to the tables what the entities have more; none that drops anything. */
export function draftMigration(orm: Orm, timeoutMs: number): Promise<readonly string[]> {
  return withDirectConnections({ statementTimeoutMs: timeoutMs }, () => draft(orm)).catch((error: unknown) => {
    throw translate(error);
  });
}

async function draft({ em, config }: Orm): Promise<readonly string[]> {
  const platform = em.getPlatform();
  const generator = new SqlSchemaGenerator(em);
  const target = generator.getTargetSchema();
  const live = await DatabaseSchema.create(em.getConnection(), platform, config, undefined, target.getNamespaces());
  const difference = new SchemaComparator(platform).compare(live, target);
  keepEverything(difference);
  return statementsOf(generator.diffToSQL(difference, { wrap: false, safe: true, dropTables: false }));
}

/** What no entity knows stays; what is there under another name is not made twice. */
function keepEverything({ changedTables }: SchemaDifference): void {
  for (const table of Object.values(changedTables)) {
    for (const renamed of Object.values(table.renamedColumns)) table.addedColumns[renamed.name] = renamed;
    table.renamedColumns = {};
    table.renamedIndexes = {};
    table.removedColumns = {};
    table.removedIndexes = only(table.removedIndexes, table.addedIndexes);
    table.removedChecks = {};
    table.removedForeignKeys = {};
    table.removedTriggers = {};
  }
}

function only<Value>(from: Record<string, Value>, names: Record<string, unknown>): Record<string, Value> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => name in names));
}

/** Statements end with a semicolon at the end of a line; one inside a text does not count. */
function statementsOf(sql: string): string[] {
  const statements: string[] = [];
  let open = '';
  for (const part of sql.split(/;\n/)) {
    open += open === '' ? part : `;\n${part}`;
    if (open.split(`'`).length % 2 === 0) continue;
    statements.push(open);
    open = '';
  }
  statements.push(open);
  return statements.map(statement => statement.trim().replace(/;$/, '')).filter(statement => statement !== '');
}

import { type SchemaDifference, SqlSchemaGenerator, type TableDifference } from '@mikro-orm/sql';
import { translate } from '../errors/translate.js';
import { withDirectConnections } from '../orm/direct-connections.js';
import type { Orm } from '../orm/orm.js';
import { compareSchema } from './compare-schema.js';
import { checkPairs, foreignKeyPairs, rulesOf } from './constraint-pairs.js';

/** The statements that add to the tables what the entities have more; none that drops anything. */
export function draftMigration(orm: Orm, timeoutMs: number): Promise<readonly string[]> {
  return withDirectConnections({ timeoutMs }, () => draft(orm)).catch((error: unknown) => {
    throw translate(error);
  });
}

async function draft(orm: Orm): Promise<readonly string[]> {
  const difference = await compareSchema(orm);
  keepEverything(difference);
  const generator = new SqlSchemaGenerator(orm.em);
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
    keepConstraints(table);
    table.removedTriggers = {};
  }
}

/** One that is there under another name stays; a foreign key that does something else gives way to the one wanted. */
function keepConstraints(table: TableDifference): void {
  for (const { wanted } of checkPairs(table)) delete table.addedChecks[wanted.name];
  const pairs = foreignKeyPairs(table);
  table.removedChecks = {};
  table.removedForeignKeys = {};
  for (const { wanted, live } of pairs) {
    if (rulesOf(wanted) === rulesOf(live)) delete table.addedForeignKeys[wanted.constraintName];
    else table.removedForeignKeys[live.constraintName] = live;
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

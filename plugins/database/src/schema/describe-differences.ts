import type { Column, ForeignKey, IndexDef, SchemaDifference as OrmDifference, TableDifference } from '@mikro-orm/sql';
import { checkPairs, endsOf, foreignKeyPairs, rulesOf } from './constraint-pairs.js';
import type { SchemaDifference, SchemaDifferenceKind } from './schema-report.js';

const noDefault = 'no default';

type Found = Omit<SchemaDifference, 'severity'>;

/** What the comparison found, in the words of the operator; failures first. */
export function describeDifferences(found: OrmDifference): SchemaDifference[] {
  const differences = [
    ...[...found.newNamespaces].map(missingSchema),
    ...found.newNativeEnums.map(({ name }) => missing('missing-type', '', name, `The type ${name} is missing.`)),
    ...Object.keys(found.newTables).map(table => missingTable(shortName(table))),
    ...Object.keys(found.newViews).map(name => missing('missing-view', '', name, `The view ${name} is missing.`)),
    ...Object.values(found.changedTables).flatMap(table => tableDifferences(table)),
    ...Object.keys(found.removedTables).map(table => unknownTable(shortName(table))),
  ];
  return differences
    .map(difference => ({ ...difference, severity: severityOf(difference) }))
    .sort((one, other) => one.severity.localeCompare(other.severity));
}

/** A required column that no entity fills makes every insert fail; what else is unknown does no harm. */
function severityOf({ kind, expected }: Found): SchemaDifference['severity'] {
  if (kind === 'unknown-required-column') return 'failure';
  if (kind === 'name' || (kind === 'default' && expected === noDefault)) return 'info';
  return kind.startsWith('unknown-') ? 'info' : 'failure';
}

function tableDifferences(difference: TableDifference): Found[] {
  const { name: table } = difference;
  const generated = Object.keys(difference.addedColumns).filter(name => name in difference.removedColumns);
  return [
    ...Object.values(difference.addedColumns).map(column =>
      generated.includes(column.name) ? changedGeneration(table, column) : missingColumn(table, column),
    ),
    ...Object.values(difference.renamedColumns).map(column => missingColumn(table, column)),
    ...Object.values(difference.changedColumns).flatMap(({ fromColumn, column, changedProperties }) =>
      changedColumn(table, fromColumn, column, changedProperties),
    ),
    ...unknownColumns(difference, generated),
    ...indexDifferences(difference),
    ...constraintDifferences(difference),
  ];
}

function changedColumn(table: string, live: Column, wanted: Column, properties: ReadonlySet<string>): Found[] {
  const differences: Found[] = [];
  const add = (kind: SchemaDifferenceKind, expected: string, found: string) =>
    differences.push({
      kind,
      table,
      column: wanted.name,
      expected,
      found,
      message: `Column ${table}.${wanted.name}: the entity says ${expected}, the database has ${found}.`,
    });
  const rest = new Set(properties);
  const took = (...names: string[]) => names.filter(name => rest.delete(name)).length > 0;
  if (took('type', 'length', 'precision', 'scale', 'unsigned', 'enumItems')) add('type', typeOf(wanted), typeOf(live));
  if (took('nullable')) add('nullable', nullability(wanted), nullability(live));
  if (took('default', 'autoincrement')) {
    const [expected, found] = [defaultOf(wanted), defaultOf(live)];
    add('default', expected, expected === found ? 'another' : found);
  }
  if (took('generated')) add('generated', wanted.generated ?? 'not generated', live.generated ?? 'not generated');
  rest.delete('comment');
  if (rest.size > 0) {
    const verb = rest.size === 1 ? 'differs' : 'differ';
    const message = `Column ${table}.${wanted.name}: ${[...rest].join(', ')} ${verb} from what the entity says.`;
    differences.push({ kind: 'other', table, column: wanted.name, message });
  }
  return differences;
}

function indexDifferences(difference: TableDifference): Found[] {
  const { name: table } = difference;
  // One that is an index and is to be a constraint, or the other way round, is there and differs.
  const changedForms = Object.values(difference.addedIndexes).filter(
    ({ keyName }) => keyName in difference.removedIndexes,
  );
  return [
    ...Object.values(difference.addedIndexes)
      .filter(({ keyName }) => !(keyName in difference.removedIndexes))
      .map(index => missingIndex(table, index)),
    ...[...Object.values(difference.changedIndexes), ...changedForms].map(({ keyName: name }) =>
      changed(isConstraint(difference.toTable.getIndex(name)) ? 'constraint' : 'index', table, name),
    ),
    ...Object.values(difference.removedIndexes)
      .filter(({ keyName }) => !(keyName in difference.addedIndexes))
      .map(index =>
        isConstraint(index)
          ? unknown('unknown-constraint', table, index.keyName)
          : unknown('unknown-index', table, index.keyName),
      ),
  ];
}

function constraintDifferences(difference: TableDifference): Found[] {
  const { name: table } = difference;
  return [
    ...foreignKeyDifferences(difference),
    ...checkDifferences(difference),
    ...Object.keys(difference.addedTriggers).map(name =>
      missing('other', table, name, `Table ${table}: the trigger ${name} is missing.`),
    ),
  ];
}

function foreignKeyDifferences(difference: TableDifference): Found[] {
  const { name: table, fromTable, addedForeignKeys, removedForeignKeys, changedForeignKeys } = difference;
  const pairs = foreignKeyPairs(difference);
  const live = new Map(Object.values(fromTable.getForeignKeys()).map(key => [key.constraintName.toLowerCase(), key]));
  return [
    ...pairs.map(({ wanted, live: found }) =>
      rulesOf(wanted) === rulesOf(found)
        ? otherName(table, 'foreign key', wanted.constraintName, found.constraintName)
        : otherForeignKey(table, wanted, found),
    ),
    ...Object.values(changedForeignKeys).map(wanted => {
      const found = live.get(wanted.constraintName.toLowerCase());
      return found === undefined
        ? changed('constraint', table, wanted.constraintName)
        : otherForeignKey(table, wanted, found);
    }),
    ...Object.values(addedForeignKeys)
      .filter(key => !pairs.some(({ wanted }) => wanted === key))
      .map(key => missingForeignKey(table, key)),
    ...Object.values(removedForeignKeys)
      .filter(key => !pairs.some(({ live: found }) => found === key))
      .map(key => unknown('unknown-constraint', table, key.constraintName)),
  ];
}

function checkDifferences(difference: TableDifference): Found[] {
  const { name: table, addedChecks, removedChecks, changedChecks } = difference;
  const pairs = checkPairs(difference);
  return [
    ...pairs.map(({ wanted, live }) => otherName(table, 'check', wanted.name, live.name)),
    ...Object.keys(changedChecks).map(name => changed('constraint', table, name)),
    ...Object.values(addedChecks)
      .filter(check => !pairs.some(({ wanted }) => wanted === check))
      .map(({ name }) => missing('missing-constraint', table, name, `Table ${table}: the check ${name} is missing.`)),
    ...Object.values(removedChecks)
      .filter(check => !pairs.some(({ live }) => live === check))
      .map(({ name }) => unknown('unknown-constraint', table, name)),
  ];
}

/** It is there, and does something else. */
function otherForeignKey(table: string, wanted: ForeignKey, live: ForeignKey): Found {
  const isElsewhere = endsOf(wanted) !== endsOf(live);
  const say = (key: ForeignKey) => (isElsewhere ? `${endsOf(key)} ${rulesOf(key)}` : rulesOf(key));
  const [expected, found] = [say(wanted), say(live)];
  const name = live.constraintName;
  const message = `Table ${table}: the foreign key ${name} (${wanted.columnNames.join(', ')}) differs: the entity says ${expected}, the database has ${found}.`;
  return { kind: 'constraint', table, name, expected, found, message };
}

function otherName(table: string, what: 'foreign key' | 'check', expected: string, found: string): Found {
  const message = `Table ${table}: the ${what} ${found} is the same as ${expected} of the entity; only the name differs.`;
  return { kind: 'name', table, name: found, expected, found, message };
}

function unknownColumns({ name: table, ...difference }: TableDifference, generated: readonly string[]): Found[] {
  const renamed = Object.keys(difference.renamedColumns).map(name => difference.fromTable.getColumn(name));
  const removed = Object.values(difference.removedColumns).filter(({ name }) => !generated.includes(name));
  return [...renamed, ...removed].flatMap(column => (column === undefined ? [] : [unknownColumn(table, column)]));
}

function unknownColumn(table: string, column: Column): Found {
  const required =
    column.nullable !== true && column.autoincrement !== true && !hasDefault(column) && !column.generated;
  const at = { table, column: column.name, found: typeOf(column) };
  return required
    ? {
        kind: 'unknown-required-column',
        ...at,
        message: `Column ${table}.${column.name} must be filled, but no entity has it: every insert would fail.`,
      }
    : { kind: 'unknown-column', ...at, message: `Column ${table}.${column.name} belongs to no entity.` };
}

/** Without the schema that everything is in. */
function shortName(table: string): string {
  return table.replace(/^public\./, '');
}

function missingSchema(name: string): Found {
  return { kind: 'missing-schema', table: '', name, message: `The schema ${name} is missing.` };
}

function missingTable(table: string): Found {
  return { kind: 'missing-table', table, message: `The table ${table} is missing.` };
}

function unknownTable(table: string): Found {
  return { kind: 'unknown-table', table, message: `The table ${table} belongs to no entity.` };
}

function missingColumn(table: string, column: Column): Found {
  const expected = typeOf(column);
  const message = `Column ${table}.${column.name} (${expected}) is missing.`;
  return { kind: 'missing-column', table, column: column.name, expected, message };
}

function changedGeneration(table: string, column: Column): Found {
  const message = `Column ${table}.${column.name} is generated in another way than the entity says.`;
  return { kind: 'generated', table, column: column.name, message };
}

function missingIndex(table: string, index: IndexDef): Found {
  const columns = index.columnNames.join(', ');
  if (index.primary) {
    return missing(
      'missing-constraint',
      table,
      index.keyName,
      `Table ${table}: the primary key (${columns}) is missing.`,
    );
  }
  return isConstraint(index)
    ? missing(
        'missing-constraint',
        table,
        index.keyName,
        `Table ${table}: (${columns}) is not unique (${index.keyName}).`,
      )
    : missing(
        'missing-index',
        table,
        index.keyName,
        `Table ${table}: the index ${index.keyName} (${columns}) is missing.`,
      );
}

function missingForeignKey(table: string, key: ForeignKey): Found {
  const columns = key.columnNames.join(', ');
  const message = `Table ${table}: the foreign key (${columns}) to ${shortName(key.referencedTableName)} is missing.`;
  return missing('missing-constraint', table, key.constraintName, message);
}

function missing(kind: SchemaDifferenceKind, table: string, name: string, message: string): Found {
  return { kind, table, name, message };
}

function changed(kind: 'index' | 'constraint', table: string, name: string): Found {
  return { kind, table, name, message: `Table ${table}: the ${kind} ${name} differs from what the entity says.` };
}

function unknown(kind: 'unknown-index' | 'unknown-constraint', table: string, name: string): Found {
  const what = kind === 'unknown-index' ? 'index' : 'constraint';
  return { kind, table, name, message: `Table ${table}: the ${what} ${name} belongs to no entity.` };
}

function isConstraint(index: IndexDef | undefined): boolean {
  return index !== undefined && (index.unique || index.constraint || index.primary);
}

function typeOf(column: Column): string {
  return column.enumItems === undefined || column.enumItems.length === 0
    ? column.type
    : `${column.type} of ${column.enumItems.join(', ')}`;
}

function nullability(column: Column): string {
  return column.nullable === true ? 'null allowed' : 'not null';
}

function hasDefault(column: Column): boolean {
  return column.default !== undefined && column.default !== null;
}

function defaultOf(column: Column): string {
  if (column.autoincrement === true) return 'a sequence';
  return hasDefault(column) ? 'a default' : noDefault;
}

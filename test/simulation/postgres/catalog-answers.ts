import type { Backend } from './backend.ts';
import {
  allTables,
  type ColumnDefinition,
  type ForeignKeyDefinition,
  findTable,
  type IndexDefinition,
  namesOf,
  type TableDefinition,
} from './catalog.ts';
import type { CatalogQuestion } from './catalog-questions.ts';
import { arrayText, facetsOf } from './column-types.ts';
import type { Comparison, Initially } from './read-ddl.ts';
import { problems } from './sql-error.ts';
import { type Column, typeNumbers } from './wire.ts';

type Cells = readonly (string | null)[];

const { bool, text, int4 } = typeNumbers;
const [name, varchar, char, regclass, texts, names] = [19, 1043, 18, 2205, 1009, 1003];
const columns = (type: number, ...titles: readonly string[]): Column[] => titles.map(title => ({ name: title, type }));

export const catalogColumns: Readonly<Record<CatalogQuestion, readonly Column[]>> = {
  tables: [...columns(name, 'table_name', 'schema_name'), ...columns(text, 'table_comment')],
  enums: [...columns(name, 'enum_name', 'schema_name'), ...columns(names, 'enum_value')],
  views: [...columns(name, 'view_name', 'schema_name'), ...columns(varchar, 'view_definition')],
  'materialized views': [
    ...columns(name, 'view_name', 'schema_name'),
    ...columns(text, 'view_definition'),
    ...columns(bool, 'is_populated'),
  ],
  columns: [
    ...columns(name, 'schema_name', 'table_name', 'column_name'),
    ...columns(varchar, 'column_default', 'is_nullable'),
    ...columns(name, 'udt_name', 'udt_schema'),
    ...columns(text, 'format_type'),
    ...columns(int4, 'length', 'custom_length', 'numeric_precision', 'numeric_scale'),
    ...columns(varchar, 'data_type', 'is_identity', 'identity_generation', 'generation_expression'),
    ...columns(text, 'column_comment'),
    ...columns(name, 'collation_name'),
  ],
  indexes: [
    ...columns(regclass, 'table_name'),
    ...columns(name, 'schema_name', 'constraint_name'),
    ...columns(bool, 'unique', 'primary'),
    ...columns(char, 'contype'),
    ...columns(bool, 'condeferrable', 'condeferred'),
    ...columns(texts, 'index_def'),
    ...columns(text, 'expression'),
    ...columns(bool, 'deferrable', 'initially_deferred'),
    ...columns(texts, 'reloptions'),
    ...columns(name, 'index_type'),
  ],
  checks: [
    ...columns(name, 'table_name', 'schema_name', 'name'),
    ...columns(regclass, 'table_from'),
    ...columns(name, 'column_name'),
    ...columns(text, 'expression'),
  ],
  'foreign keys': [
    ...columns(name, 'schema_name', 'table_name', 'referenced_schema_name', 'referenced_table_name'),
    ...columns(name, 'column_name', 'referenced_column_name', 'constraint_name'),
    ...columns(char, 'update_rule', 'delete_rule'),
    ...columns(int4, 'ord'),
    ...columns(bool, 'condeferrable', 'condeferred'),
    ...columns(text, 'constraint_def'),
  ],
  partitions: [
    ...columns(name, 'schema_name', 'table_name'),
    ...columns(text, 'partition_definition'),
    ...columns(name, 'partition_schema_name', 'partition_name'),
    ...columns(text, 'partition_bound'),
  ],
  triggers: [
    ...columns(name, 'trigger_name', 'schema_name', 'table_name'),
    ...columns(varchar, 'event', 'timing', 'for_each', 'when_clause'),
    ...columns(text, 'function_def', 'function_body'),
  ],
  'row security': [...columns(name, 'table_name', 'schema_name'), ...columns(bool, 'enabled', 'forced')],
  policies: [
    ...columns(name, 'table_name', 'schema_name', 'name'),
    ...columns(text, 'permissive'),
    ...columns(names, 'roles'),
    ...columns(text, 'cmd', 'qual', 'with_check'),
  ],
  collation: columns(text, 'collation'),
};

export function answerAboutCatalog(on: Backend, about: CatalogQuestion, named: readonly string[]): readonly Cells[] {
  const tables = () => allTables(on).filter(table => table.schema === 'public' && named.includes(table.name));
  switch (about) {
    case 'tables':
      return inOrder(
        [...on.server.tableNames, ...allTables(on)].map(table => [table.name, table.schema, null]),
        0,
      );
    case 'columns':
      return columnsOf(tables());
    case 'indexes': {
      for (const each of named)
        if (findTable(on, { schema: 'public', name: each }) === undefined) throw problems.noTable(`public.${each}`);
      return inOrder(
        tables().flatMap(table => table.indexes.map(index => indexCells(table, index))),
        2,
      );
    }
    case 'checks':
      return tables().flatMap(table => inOrder(checkCells(table), 2));
    case 'foreign keys':
      return tables().flatMap(table =>
        inOrder(
          table.foreignKeys.flatMap(key => foreignKeyCells(table, key)),
          6,
        ),
      );
    case 'row security':
      return tables().map(table => [table.name, table.schema, 'f', 'f']);
    case 'collation':
      return [['C']];
    case 'enums':
    case 'views':
    case 'materialized views':
    case 'partitions':
    case 'triggers':
    case 'policies':
      // No statement that the simulation knows makes one.
      return [];
  }
}

function inOrder(rows: readonly Cells[], by: number): readonly Cells[] {
  return rows.toSorted((one, other) => ((one[by] ?? '') < (other[by] ?? '') ? -1 : 1));
}

function columnsOf(tables: readonly TableDefinition[]): readonly Cells[] {
  const all = tables.flatMap(table => table.columns.map(column => ({ table, column })));
  return all
    .toSorted((one, other) => one.column.number - other.column.number)
    .map(({ table, column }) => columnCells(table, column));
}

function columnCells(table: TableDefinition, column: ColumnDefinition): Cells {
  const { udtName, title, length, modifier, precision, scale, dataType } = facetsOf(column.type);
  const first = initialText(table, column);
  const isNullable = column.isRequired ? 'NO' : 'YES';
  const before = [table.schema, table.name, column.name, first, isNullable, udtName, 'pg_catalog', title];
  return [...before, length, modifier, precision, scale, dataType, 'NO', null, null, null, null];
}

function initialText({ name: table }: TableDefinition, column: ColumnDefinition): string | null {
  const { initially, type } = column;
  if (initially === undefined) return null;
  if (initially.is === 'next') return `nextval('${table}_${column.name}_seq'::regclass)`;
  if (initially.is === 'now') return 'CURRENT_TIMESTAMP';
  return literalText(initially, facetsOf({ name: type.name }).title);
}

/** As PostgreSQL writes an expression that it has read: a number or a truth as it is, but for one with a sign. */
function literalText({ text: value }: Extract<Initially, { is: 'value' }>, type: string): string {
  if (type === 'boolean') return value === 't' ? 'true' : 'false';
  const isNumber = ['integer', 'bigint', 'numeric'].includes(type);
  return isNumber && !value.startsWith('-') ? value : `'${value.replaceAll("'", "''")}'::${type}`;
}

function indexCells(table: TableDefinition, index: IndexDefinition): Cells {
  const { isPrimary, isUnique, isOfConstraint, isDeferrable, isDeferred } = index;
  const of = namesOf(table, index.columns);
  const kind = isOfConstraint ? (isPrimary ? 'p' : 'u') : null;
  const deferred = isOfConstraint ? [truth(isDeferrable), truth(isDeferred)] : [null, null];
  const made = `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${index.name} ON ${table.schema}.${table.name}`;
  const before = [table.name, table.schema, index.name, truth(isUnique), truth(isPrimary), kind, ...deferred];
  return [...before, arrayText(of), `${made} USING btree (${of.join(', ')})`, ...deferred, null, 'btree'];
}

function checkCells(table: TableDefinition): readonly Cells[] {
  return table.checks.map(check => {
    const expression = `CHECK ((${comparisonText(table, check.must)}))`;
    return [table.name, table.schema, check.name, table.name, check.must.column, expression];
  });
}

function comparisonText({ columns: all }: TableDefinition, { column, operator, number }: Comparison): string {
  const literal = literalText({ is: 'value', text: number }, 'integer');
  const isNumeric = all.some(({ name: title, type }) => title === column && type.name === 'numeric');
  return `${column} ${operator} ${isNumeric ? `(${literal})::numeric` : literal}`;
}

function foreignKeyCells(table: TableDefinition, key: ForeignKeyDefinition): readonly Cells[] {
  const { to, toColumns } = key;
  const from = namesOf(table, key.columns);
  const made = `FOREIGN KEY (${from.join(', ')}) REFERENCES ${to.name}(${toColumns.join(', ')})`;
  return from.map((column, at) => {
    const ends = [column, toColumns[at] ?? '', key.name, 'a', 'a', String(at + 1)];
    return [table.schema, table.name, to.schema, to.name, ...ends, 'f', 'f', made];
  });
}

function truth(is: boolean): string {
  return is ? 't' : 'f';
}

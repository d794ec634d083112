import type { Backend } from './backend.ts';
import {
  add,
  addSchema,
  allTables,
  type CheckDefinition,
  type ColumnDefinition,
  change,
  columnNamed,
  type ForeignKeyDefinition,
  find,
  findTable,
  hasSchema,
  type IndexDefinition,
  isTaken,
  lockName,
  lockTable,
  namesOf,
  remove,
  type TableDefinition,
} from './catalog.ts';
import { readAs } from './column-types.ts';
import { UnknownStatement } from './commands.ts';
import type { Answer } from './execute.ts';
import { buildIndex } from './heap.ts';
import { assertWritable } from './locks.ts';
import type { Ddl, Named, ReadColumn, ReadConstraint } from './read-ddl.ts';
import { SqlError } from './sql-error.ts';
import { waitForSnapshots, waitForWriters } from './wait-for-others.ts';

type Of<Does extends Ddl['does']> = Extract<Ddl, { does: Does }>;

/** Each is undone with its transaction, as all that it writes is in the store. */
export async function executeDdl(on: Backend, ddl: Ddl): Promise<Answer> {
  assertWritable(on, tagOf(ddl));
  if ('isConcurrent' in ddl && ddl.isConcurrent) on.assertNoBlock(`${tagOf(ddl)} CONCURRENTLY`);
  await run(on, ddl);
  return { rows: [], tag: tagOf(ddl) };
}

function tagOf({ does }: Ddl): string {
  return does === 'add column' || does === 'drop column' ? 'ALTER TABLE' : does.toUpperCase();
}

function run(on: Backend, ddl: Ddl): Promise<void> {
  switch (ddl.does) {
    case 'create schema':
      return createSchema(on, ddl);
    case 'create table':
      return createTable(on, ddl);
    case 'drop table':
      return dropTables(on, ddl);
    case 'add column':
      return addColumn(on, ddl);
    case 'drop column':
      return dropColumn(on, ddl);
    case 'create index':
      return ddl.isConcurrent ? createIndexConcurrently(on, ddl) : createIndex(on, ddl);
    case 'drop index':
      return dropIndex(on, ddl);
  }
}

async function createSchema(on: Backend, { name, unlessThere }: Of<'create schema'>): Promise<void> {
  if (!hasSchema(on, name)) return addSchema(on, name);
  if (!unlessThere) throw new SqlError('42P06', `schema "${name}" already exists`);
  on.remark('NOTICE', '42P06', `schema "${name}" already exists, skipping`);
}

async function createTable(on: Backend, ddl: Of<'create table'>): Promise<void> {
  const { table: named, unlessThere, constraints } = ddl;
  if (!hasSchema(on, named.schema)) throw new SqlError('3F000', `schema "${named.schema}" does not exist`);
  if (isTaken(on, named)) {
    if (unlessThere) {
      on.remark('NOTICE', '42P07', `relation "${named.name}" already exists, skipping`);
      return;
    }
    throw alreadyThere(named.name);
  }
  const columns = columnsOf(ddl);
  const unique = constraints.filter(each => each.is === 'unique');
  const table: TableDefinition = {
    is: 'table',
    schema: named.schema,
    name: named.name,
    oid: on.server.store.newOid(),
    columns,
    columnsEver: columns.length,
    indexes: unique.map(each => indexOfConstraint(on, named, columns, each)),
    checks: constraints.flatMap(each => (each.is === 'check' ? [checkOf(named, columns, each)] : [])),
    foreignKeys: [],
  };
  const foreignKeys: ForeignKeyDefinition[] = [];
  for (const each of constraints) if (each.is === 'foreign key') foreignKeys.push(await foreignKeyOf(on, table, each));
  await add(on, { ...table, foreignKeys });
  await on.lock(lockName(table), 'access exclusive');
  for (const name of sequencesOf(table)) await add(on, { is: 'sequence', schema: named.schema, name, of: named.name });
  for (const { name } of table.indexes) await addIndexName(on, table, name);
}

function alreadyThere(name: string): SqlError {
  return new SqlError('42P07', `relation "${name}" already exists`);
}

function columnsOf({ columns, constraints }: Of<'create table'>): readonly ColumnDefinition[] {
  const required = constraints.flatMap(each => (each.is === 'unique' && each.isPrimary ? each.columns : []));
  const defined: ColumnDefinition[] = [];
  for (const [at, column] of columns.entries()) {
    if (defined.some(({ name }) => name === column.name))
      throw new SqlError('42701', `column "${column.name}" specified more than once`);
    defined.push(columnOf(column, at + 1, required.includes(column.name)));
  }
  return defined;
}

function columnOf(column: ReadColumn, number: number, isRequired = false): ColumnDefinition {
  const { name, type, initially } = column;
  const first = initially?.is === 'value' ? { ...initially, text: readAs(type, initially.text) } : initially;
  return { number, name, type, isRequired: column.isRequired || isRequired, initially: first };
}

function numbersOf(
  columns: readonly ColumnDefinition[],
  names: readonly string[],
  where = 'named in key',
): readonly number[] {
  return names.map(name => {
    const found = columns.find(column => column.name === name);
    if (found === undefined) throw new SqlError('42703', `column "${name}" ${where} does not exist`);
    return found.number;
  });
}

function indexOfConstraint(
  on: Backend,
  { name: table }: Named,
  columns: readonly ColumnDefinition[],
  { name, columns: names, isPrimary, isDeferrable, isDeferred }: Extract<ReadConstraint, { is: 'unique' }>,
): IndexDefinition {
  return {
    oid: on.server.store.newOid(),
    name: name ?? (isPrimary ? `${table}_pkey` : `${table}_${names.join('_')}_key`),
    columns: numbersOf(columns, names),
    isUnique: true,
    isPrimary,
    isOfConstraint: true,
    isDeferrable,
    isDeferred,
    isValid: true,
  };
}

function checkOf(
  { name: table }: Named,
  columns: readonly ColumnDefinition[],
  { name, must }: Extract<ReadConstraint, { is: 'check' }>,
): CheckDefinition {
  if (!columns.some(column => column.name === must.column))
    throw new SqlError('42703', `column "${must.column}" does not exist`);
  return { name: name ?? `${table}_${must.column}_check`, must };
}

async function foreignKeyOf(
  on: Backend,
  table: TableDefinition,
  { name, columns, to, toColumns }: Extract<ReadConstraint, { is: 'foreign key' }>,
): Promise<ForeignKeyDefinition> {
  const isToItself = to.schema === table.schema && to.name === table.name;
  const target = isToItself ? table : await lockTable(on, to, 'share row exclusive');
  const primary = target.indexes.find(({ isPrimary }) => isPrimary);
  const wanted = toColumns ?? (primary === undefined ? undefined : namesOf(target, primary.columns));
  if (wanted === undefined)
    throw new SqlError('42704', `there is no primary key for referenced table "${target.name}"`);
  const where = 'referenced in foreign key constraint';
  const numbers = numbersOf(target.columns, wanted, where);
  if (!target.indexes.some(index => index.isUnique && index.columns.join() === numbers.join()))
    throw new SqlError(
      '42830',
      `there is no unique constraint matching given keys for referenced table "${target.name}"`,
    );
  return {
    name: name ?? `${table.name}_${columns.join('_')}_fkey`,
    columns: numbersOf(table.columns, columns, where),
    to,
    toColumns: wanted,
  };
}

function sequencesOf({ name: table, columns }: TableDefinition): readonly string[] {
  return columns.filter(({ initially }) => initially?.is === 'next').map(({ name }) => `${table}_${name}_seq`);
}

function addIndexName(on: Backend, { schema, name: of }: TableDefinition, name: string): Promise<void> {
  if (isTaken(on, { schema, name })) throw alreadyThere(name);
  return add(on, { is: 'index', schema, name, of });
}

async function dropTables(on: Backend, { tables, ifThere }: Of<'drop table'>): Promise<void> {
  const dropped: TableDefinition[] = [];
  for (const named of tables) {
    if (ifThere && findTable(on, named) === undefined) {
      on.remark('NOTICE', '00000', `table "${named.name}" does not exist, skipping`);
      continue;
    }
    const missing = () => new SqlError('42P01', `table "${named.name}" does not exist`);
    dropped.push(await lockTable(on, named, 'access exclusive', missing));
  }
  for (const table of dropped) {
    const others = allTables(on).filter(other => !dropped.some(({ oid }) => oid === other.oid));
    if (others.some(({ foreignKeys }) => foreignKeys.some(({ to }) => isNamed(table, to)))) throw needed(table.name);
  }
  for (const table of dropped) {
    const { schema } = table;
    for (const name of [...table.indexes.map(index => index.name), ...sequencesOf(table)])
      await remove(on, { schema, name });
    await remove(on, table);
  }
}

function isNamed(table: TableDefinition, { schema, name }: Named): boolean {
  return table.schema === schema && table.name === name;
}

function needed(table: string): SqlError {
  return new SqlError('2BP01', `cannot drop table ${table} because other objects depend on it`);
}

async function addColumn(on: Backend, { table: named, column }: Of<'add column'>): Promise<void> {
  const table = await lockTable(on, named, 'access exclusive');
  if (columnNamed(table, column.name) !== undefined)
    throw new SqlError('42701', `column "${column.name}" of relation "${table.name}" already exists`);
  const number = table.columnsEver + 1;
  const defined = columnOf(column, number);
  if (defined.initially !== undefined || defined.isRequired) throw new UnknownStatement(on.query);
  await change(on, { ...table, columns: [...table.columns, defined], columnsEver: number });
}

async function dropColumn(on: Backend, { table: named, column: name }: Of<'drop column'>): Promise<void> {
  const table = await lockTable(on, named, 'access exclusive');
  const column = columnNamed(table, name);
  if (column === undefined) throw new SqlError('42703', `column "${name}" of relation "${table.name}" does not exist`);
  const { number, initially } = column;
  const isReferenced = allTables(on).some(({ foreignKeys }) =>
    foreignKeys.some(({ to, toColumns }) => isNamed(table, to) && toColumns.includes(name)),
  );
  if (isReferenced)
    throw new SqlError('2BP01', `cannot drop column ${name} of table ${table.name} because other objects depend on it`);
  const { schema } = table;
  const [gone, left] = [table.indexes.filter(isOver), table.indexes.filter(index => !isOver(index))];
  function isOver({ columns }: IndexDefinition): boolean {
    return columns.includes(number);
  }
  for (const index of gone) await remove(on, { schema, name: index.name });
  if (initially?.is === 'next') await remove(on, { schema, name: `${table.name}_${name}_seq` });
  await change(on, {
    ...table,
    columns: table.columns.filter(each => each !== column),
    indexes: left,
    checks: table.checks.filter(({ must }) => must.column !== name),
    foreignKeys: table.foreignKeys.filter(({ columns }) => !columns.includes(number)),
  });
}

function plainIndex(on: Backend, table: TableDefinition, ddl: Of<'create index'>): IndexDefinition {
  for (const name of ddl.columns)
    if (columnNamed(table, name) === undefined) throw new SqlError('42703', `column "${name}" does not exist`);
  return {
    oid: on.server.store.newOid(),
    name: ddl.name,
    columns: numbersOf(table.columns, ddl.columns),
    isUnique: ddl.isUnique,
    isPrimary: false,
    isOfConstraint: false,
    isDeferrable: false,
    isDeferred: false,
    isValid: !ddl.isConcurrent,
  };
}

async function createIndex(on: Backend, ddl: Of<'create index'>): Promise<void> {
  const table = await lockTable(on, ddl.table, 'share');
  const index = plainIndex(on, table, ddl);
  await addIndexName(on, table, index.name);
  await buildIndex(on, table, index);
  await change(on, { ...table, indexes: [...table.indexes, index] });
}

/** In steps, each in a transaction of its own: what fails half-way leaves an index that is not valid. */
async function createIndexConcurrently(on: Backend, ddl: Of<'create index'>): Promise<void> {
  const table = await lockTable(on, ddl.table, 'share update exclusive');
  await on.lock(lockName(table), 'share update exclusive', { isOfSession: true });
  try {
    const index = plainIndex(on, table, ddl);
    await addIndexName(on, table, index.name);
    await change(on, { ...table, indexes: [...table.indexes, index] });
    await on.commitStep();
    await waitForWriters(on, lockName(table));
    await buildIndex(on, table, index);
    await on.commitStep();
    await waitForSnapshots(on);
    const indexes = table.indexes.concat({ ...index, isValid: true });
    await change(on, { ...table, indexes });
  } finally {
    on.server.store.locks.unlock(on, lockName(table), 'share update exclusive');
  }
}

async function dropIndex(on: Backend, { index: named, isConcurrent, ifThere }: Of<'drop index'>): Promise<void> {
  const relation = find(on, named);
  if (relation === undefined && ifThere) {
    on.remark('NOTICE', '00000', `index "${named.name}" does not exist, skipping`);
    return;
  }
  if (relation?.is !== 'index') throw new SqlError('42704', `index "${named.name}" does not exist`);
  const of = { schema: named.schema, name: relation.of };
  const table = await lockTable(on, of, isConcurrent ? 'share update exclusive' : 'access exclusive');
  const index = table.indexes.find(({ name }) => name === named.name);
  if (index?.isOfConstraint === true)
    throw new SqlError(
      '2BP01',
      `cannot drop index ${named.name} because constraint ${named.name} on table ${of.name} requires it`,
    );
  if (isConcurrent) await waitForWriters(on, lockName(table));
  await remove(on, named);
  await change(on, { ...table, indexes: table.indexes.filter(({ name }) => name !== named.name) });
}

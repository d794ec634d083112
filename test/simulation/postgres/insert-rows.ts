import type { Backend } from './backend.ts';
import { settingOf, strengthFor } from './change-rows.ts';
import { assertRefers, assertValid, put, rowWithKey, rowWithValue } from './constraints.ts';
import { type Computed, compileFor, type Moment, type Scope } from './expressions.ts';
import { assertWritable, claim } from './locks.ts';
import { outputOf, type Parameters, type Plan, rowOf, scopeOf, tableOf } from './plan.ts';
import { planSelect } from './select-rows.ts';
import { nextOf } from './sequences.ts';
import { problems } from './sql-error.ts';
import type { Entry, Row } from './store.ts';
import type { Conflict, Given, Insert, Select } from './syntax.ts';
import type { TableDefinition } from './tables.ts';
import { converted, type TypeName } from './values.ts';

/** Undefined: the column gets its default. */
type GivenRow = ReadonlyMap<string, string | null | undefined>;

interface Changed {
  readonly entry: Entry;
  readonly before: Row | undefined;
  readonly row: Row;
}

export function planInsert(statement: Insert, parameters: Scope['parameters']): Plan {
  const { into, columns, rows, conflict, returning } = statement;
  const table = tableOf(into);
  const types = columns.map(name => {
    const column = table.columns[name];
    if (column === undefined) throw problems.noColumnOf(table.name, name);
    return column.type;
  });
  const given =
    'does' in rows
      ? selected(columns, types, rows, parameters)
      : listed(columns, types, rows, { parameters, tables: [] });
  const solve = conflict && solving(table, conflict, statement, parameters);
  const output = outputOf(returning, scopeOf(parameters, into));
  return {
    ...output,
    async run(on, values) {
      assertWritable(on, 'INSERT');
      const all: Changed[] = [];
      for (const each of await given(on, values)) {
        const row = completed(on, table, each);
        assertValid(table, row);
        const changed = solve === undefined ? await inserted(on, table, row) : await solve(on, row, all, values);
        if (changed !== undefined) all.push(changed);
      }
      for (const { before, row } of all) await assertRefers(on, table, before, row);
      const answers = all.map(({ row }) => output.of({ rows: { [into.alias]: row }, parameters: values }));
      return { rows: returning.length > 0 ? answers : [], tag: `INSERT 0 ${all.length}` };
    },
  };
}

function listed(
  columns: readonly string[],
  types: readonly TypeName[],
  rows: readonly (readonly Given[])[],
  scope: Scope,
) {
  const all = rows.map(row =>
    row.map((given, at): Computed | undefined =>
      given.is === 'default' ? undefined : compileFor(columns[at] ?? '', types[at] ?? 'text', given, scope),
    ),
  );
  return (_: Backend, parameters: Parameters): readonly GivenRow[] => {
    const moment: Moment = { rows: {}, parameters };
    return all.map(row => new Map(columns.map((column, at) => [column, row[at]?.of(moment)])));
  };
}

function selected(
  columns: readonly string[],
  types: readonly TypeName[],
  select: Select,
  parameters: Scope['parameters'],
) {
  const plan = planSelect(select, parameters, types);
  return async (on: Backend, values: Parameters): Promise<readonly GivenRow[]> => {
    const { rows } = await plan.run(on, values);
    return Array.from(rows, row => new Map(columns.map((column, at) => [column, fitting(row[at] ?? null, at)])));
  };
  function fitting(value: string | null, at: number): string | null {
    return value === null ? null : converted(plan.types[at] ?? 'text', types[at] ?? 'text', value);
  }
}

/** With its defaults. */
function completed(on: Backend, table: TableDefinition, given: GivenRow): Row {
  return rowOf(
    Object.entries(table.columns).map(([name, { initially }]) => {
      const value = given.get(name);
      if (value !== undefined) return [name, value];
      return [name, initially === 'next' ? nextOf(on.server.store, table.name) : (initially ?? null)];
    }),
  );
}

async function inserted(on: Backend, table: TableDefinition, row: Row): Promise<Changed> {
  return { entry: await put(on, table, undefined, row), before: undefined, row };
}

/** Inserts a row, or does what is said for one that is in conflict with another one. */
function solving(
  table: TableDefinition,
  { columns, set }: Conflict,
  { into }: Insert,
  parameters: Scope['parameters'],
) {
  const findEntry = arbiter(table, columns);
  const scope = scopeOf(parameters, into, { table: into.table, alias: 'excluded' });
  const changed = set && settingOf(table, set, scope);
  return async (on: Backend, excluded: Row, done: readonly Changed[], values: Parameters) => {
    for (;;) {
      const entry = await findEntry(on, excluded);
      if (entry === undefined) return inserted(on, table, excluded);
      assertSeen(on, entry);
      if (changed === undefined) return undefined;
      if (done.some(other => other.entry === entry)) throw problems.twice();
      const next = (row: Row) => changed(row, { rows: { [into.alias]: row, excluded }, parameters: values });
      const latest = on.server.store.latest(on.current(), entry);
      const strength = latest && strengthFor(table, latest, next(latest));
      const before = await claim(on, entry, strength);
      // It was deleted meanwhile: there may be no conflict any more.
      if (before === undefined) continue;
      const row = next(before);
      await put(on, table, before, row);
      return { entry, before, row };
    }
  };
}

function assertSeen(on: Backend, entry: Entry): void {
  const transaction = on.current();
  if (transaction.isolation !== 'read committed' && !on.server.store.isSeen(transaction, entry))
    throw problems.serialization();
}

/** Finds the row that is in conflict; without one, no other transaction can insert it any more. */
function arbiter(table: TableDefinition, columns: readonly string[]) {
  const isKey = columns.length === table.primaryKey.length && columns.every(name => table.primaryKey.includes(name));
  if (isKey) return (on: Backend, row: Row) => rowWithKey(on, table, row);
  const unique = table.unique.find(({ column, isDeferred }) => isDeferred !== true && columns.join() === column);
  if (unique === undefined) throw problems.noArbiter();
  return async (on: Backend, row: Row) => {
    const value = row[unique.column];
    // No value is in conflict with none.
    return value === undefined ? undefined : rowWithValue(on, table.name, unique, value);
  };
}

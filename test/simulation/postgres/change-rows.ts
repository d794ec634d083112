import type { Backend } from './backend.ts';
import { UnknownStatement } from './commands.ts';
import { assertNotReferred, assertRefers, forgetValues, keyOf, put } from './constraints.ts';
import type { Answer } from './execute.ts';
import { type Computed, compileCondition, compileFor, type Moment, type Scope } from './expressions.ts';
import { assertWritable, claim } from './locks.ts';
import { outputOf, type Parameters, type Plan, rowOf, scopeOf, tableOf } from './plan.ts';
import { problems } from './sql-error.ts';
import type { Row, Strength } from './store.ts';
import type { Delete, Given, Setting, Source, Truncate, Update } from './syntax.ts';
import { referencesTo, type TableDefinition } from './tables.ts';

export function planUpdate(statement: Update, parameters: Scope['parameters']): Plan {
  const { table: source, set, returning } = statement;
  const scope = scopeOf(parameters, source);
  const table = tableOf(source);
  const changed = settingOf(table, set, scope);
  const isMeant = compileCondition(statement.where, scope);
  const output = outputOf(returning, scope);
  return {
    ...output,
    async run(on, given) {
      assertWritable(on, 'UPDATE');
      const done: { readonly before: Row; readonly row: Row }[] = [];
      const next = (row: Row) => changed(row, { rows: { [source.alias]: row }, parameters: given });
      for await (const before of eachMeant(on, source, isMeant, given, row => strengthFor(table, row, next(row)))) {
        const row = next(before);
        await put(on, table, before, row);
        done.push({ before, row });
      }
      for (const { before, row } of done) await assertRefers(on, table, before, row);
      const rows = done.map(({ row }) => output.of({ rows: { [source.alias]: row }, parameters: given }));
      return answer('UPDATE', rows, returning.length > 0);
    },
  };
}

function answer(tag: string, rows: readonly (readonly (string | null)[])[], returns: boolean): Answer {
  return { rows: returns ? rows : [], tag: `${tag} ${rows.length}` };
}

/** As `set` changes a row. */
export function settingOf(table: TableDefinition, set: readonly Setting[], scope: Scope) {
  const all = set.map(([name, given]) => {
    if (table.primaryKey.includes(name)) throw new UnknownStatement(`set ${name}, which is the key of a row`);
    return [name, givenTo(table, name, given, scope)] as const;
  });
  return (row: Row, moment: Moment): Row =>
    rowOf([
      ...Object.entries(row).filter(([name]) => !all.some(([other]) => other === name)),
      ...valuesOf(all, moment),
    ]);
}

function valuesOf(all: readonly (readonly [name: string, given: Computed])[], moment: Moment) {
  return all.map(([name, { of }]) => [name, of(moment)] as const);
}

/** A value as the column takes it; of its default, only a constant. */
function givenTo(table: TableDefinition, name: string, given: Given, scope: Scope): Computed {
  const column = table.columns[name];
  if (column === undefined) throw problems.noColumnOf(table.name, name);
  if (given.is !== 'default') return compileFor(name, column.type, given, scope);
  if (column.initially === 'next') throw new UnknownStatement(`set ${name} = default, which counts up`);
  return { type: column.type, of: () => column.initially ?? null };
}

/** A value that is unique may be the key of another row. */
export function strengthFor({ unique }: TableDefinition, before: Row, row: Row): Strength {
  const isKeyChanged = unique.some(({ column, isDeferred }) => isDeferred !== true && before[column] !== row[column]);
  return isKeyChanged ? 'update' : 'no key update';
}

/** Locks each row that is meant, and gives it as it is then. */
async function* eachMeant(
  on: Backend,
  { table, alias }: Source,
  isMeant: (moment: Moment) => boolean,
  parameters: Parameters,
  strengthOf: (row: Row) => Strength,
): AsyncIterable<Row> {
  const { store } = on.server;
  const isRowMeant = (row: Row) => isMeant({ rows: { [alias]: row }, parameters });
  for (const [key, seen] of [...store.scan(on.current(), table)]) {
    if (!isRowMeant(seen)) continue;
    const row = await claim(on, store.entry(table, key), strengthOf(seen));
    // Another transaction may have changed it meanwhile.
    if (row !== undefined && isRowMeant(row)) yield row;
  }
}

export function planDelete(statement: Delete, parameters: Scope['parameters']): Plan {
  const { table: source, returning } = statement;
  const scope = scopeOf(parameters, source);
  const table = tableOf(source);
  const isMeant = compileCondition(statement.where, scope);
  const output = outputOf(returning, scope);
  return {
    ...output,
    async run(on, given) {
      assertWritable(on, 'DELETE');
      const deleted: Row[] = [];
      for await (const row of eachMeant(on, source, isMeant, given, () => 'update')) {
        await remove(on, table, row);
        deleted.push(row);
      }
      for (const row of deleted) assertNotReferred(on, table, keyOf(table, row));
      const rows = deleted.map(row => output.of({ rows: { [source.alias]: row }, parameters: given }));
      return answer('DELETE', rows, returning.length > 0);
    },
  };
}

async function remove(on: Backend, table: TableDefinition, row: Row): Promise<void> {
  const { store } = on.server;
  await forgetValues(on, table, row);
  store.write(on.current(), store.entry(table.name, keyOf(table, row)), undefined);
}

export function planTruncate({ tables }: Truncate, startAgain: (on: Backend, table: string) => void): Plan {
  const all = tables.map(table => ({ table, alias: table }));
  const isReferred = tables.some(table => referencesTo(table).some(([{ name }]) => !tables.includes(name)));
  return {
    columns: [],
    types: [],
    async run(on) {
      assertWritable(on, 'TRUNCATE');
      if (isReferred) throw problems.truncatesReferenced();
      for (const source of all) {
        for await (const row of eachMeant(
          on,
          source,
          () => true,
          [],
          () => 'update',
        ))
          await remove(on, tableOf(source), row);
        startAgain(on, source.table);
      }
      return { rows: [], tag: 'TRUNCATE TABLE' };
    },
  };
}

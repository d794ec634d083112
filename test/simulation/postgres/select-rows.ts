import type { Backend } from './backend.ts';
import { UnknownStatement } from './commands.ts';
import { type Computed, compile, compileCondition, type Moment, type Scope } from './expressions.ts';
import { assertWritable, claim } from './locks.ts';
import { outputOf, type Parameters, type Plan, scopeOf } from './plan.ts';
import { SqlError } from './sql-error.ts';
import type { Row } from './store.ts';
import type { Join, Select, Source } from './syntax.ts';
import { compareValues, type TypeName } from './values.ts';

/** @throws SqlError for a name that is not known, or a value that does not fit. */
export function planSelect(select: Select, parameters: Scope['parameters'], wanted?: readonly TypeName[]): Plan {
  const { items, from, joins, forUpdate } = select;
  const isCount = items.some(({ is }) => is === 'count');
  if (isCount && !isOnlyCount(select)) throw new UnknownStatement('count(*) beside something else');
  if (forUpdate && joins.length > 0) throw new UnknownStatement('for update of more than one table');
  const sources = [...(from === undefined ? [] : [from]), ...joins.map(({ source }) => source)];
  const scope = scopeOf(parameters, ...sources);
  const output = outputOf(items, scope, wanted);
  const isMeant = compileCondition(select.where, scope);
  const inOrder = orderOf(select, scope);
  const limitOf = select.limit && compile(select.limit, scope, 'int8');
  const join = joinsOf(joins, scope);
  const [first] = sources;

  return {
    columns: output.columns,
    types: output.types,
    async run(on, given) {
      if (forUpdate) assertWritable(on, 'SELECT FOR UPDATE');
      const all = join(on, scanned(on, from, given)).filter(isMeant);
      if (isCount) return { rows: [items.map(() => String(all.length))], tag: 'SELECT 1' };
      const most = limited(limitOf, given);
      const sorted = all.toSorted(inOrder);
      const found =
        forUpdate && first !== undefined ? await claimed(on, first, sorted, isMeant, most) : sorted.slice(0, most);
      return { rows: found.map(output.of), tag: `SELECT ${found.length}` };
    },
  };
}

function isOnlyCount({ items, order, limit, forUpdate }: Select): boolean {
  return items.every(({ is }) => is === 'count') && order.length === 0 && limit === undefined && !forUpdate;
}

/** A row that was read has its key with it, for its lock. */
const keys = new WeakMap<Moment, string>();

function scanned(on: Backend, from: Source | undefined, parameters: Parameters): readonly Moment[] {
  if (from === undefined) return [{ rows: {}, parameters }];
  return [...on.server.store.scan(on.current(), from.table)].map(([key, row]) => {
    const moment: Moment = { rows: { [from.alias]: row }, parameters };
    keys.set(moment, key);
    return moment;
  });
}

function joinsOf(joins: readonly Join[], scope: Scope) {
  const all = joins.map(({ source, isLeft, on: condition }) => ({
    source,
    isLeft,
    isPartner: compileCondition(condition, scope, 'JOIN/ON'),
  }));
  return (on: Backend, before: readonly Moment[]): readonly Moment[] => {
    let moments = before;
    for (const { source, isLeft, isPartner } of all) {
      const others = [...on.server.store.scan(on.current(), source.table)].map(([, row]) => row);
      moments = moments.flatMap(moment => {
        const together = others.map(row => withRow(moment, source.alias, row)).filter(isPartner);
        return together.length > 0 || !isLeft ? together : [withRow(moment, source.alias, undefined)];
      });
    }
    return moments;
  };
}

function withRow(moment: Moment, alias: string, row: Row | undefined): Moment {
  return { ...moment, rows: { ...moment.rows, [alias]: row } };
}

function orderOf({ order }: Select, scope: Scope): (one: Moment, other: Moment) => number {
  const all = order.map(({ expression, isDown }) => ({ ...compile(expression, scope), isDown }));
  return (one, other) => {
    for (const { type, of, isDown } of all) {
      const [left, right] = [of(one), of(other)];
      const difference =
        left !== null && right !== null
          ? compareValues(type, left, right)
          : Number(left === null) - Number(right === null);
      if (difference !== 0) return isDown ? -difference : difference;
    }
    return 0;
  };
}

function limited(limit: Computed | undefined, parameters: Parameters): number {
  const most = limit?.of({ rows: {}, parameters }) ?? null;
  if (most === null) return Number.POSITIVE_INFINITY;
  if (Number(most) < 0) throw new SqlError('2201W', 'LIMIT must not be negative');
  return Number(most);
}

/** Waits for each row; one that was changed meanwhile must still be meant. */
async function claimed(
  on: Backend,
  { table, alias }: Source,
  moments: readonly Moment[],
  isMeant: (moment: Moment) => boolean,
  most: number,
): Promise<readonly Moment[]> {
  const found: Moment[] = [];
  for (const moment of moments) {
    if (found.length >= most) break;
    const row = await claim(on, on.server.store.entry(table, keys.get(moment) ?? ''), 'update');
    const now = withRow(moment, alias, row);
    if (row !== undefined && isMeant(now)) found.push(now);
  }
  return found;
}

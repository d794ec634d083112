import type { Backend } from './backend.ts';
import { functions } from './functions.ts';
import type { SelectionTree, Tree } from './read-selection.ts';
import { SqlError } from './sql-error.ts';
import { type Row, type View, viewOf } from './views.ts';
import { type Column, typeNumbers } from './wire.ts';
import { Unreadable } from './words.ts';

/** Where an expression is computed: in which session, with which parameters, for which row. */
export interface Scope {
  readonly on: Backend;
  readonly values: readonly (string | null)[];
  readonly row: Row;
}

/** A value that is computed when it is needed, as its text, or null. */
interface Expression {
  /** What a column of it is called. */
  readonly name: string;
  readonly type: number;
  readonly of: (scope: Scope) => string | null;
}

export interface Selection {
  readonly columns: readonly Column[];
  /** One row after the other: each is computed when it is asked for. */
  readonly rows: (scope: Omit<Scope, 'row'>) => Iterable<readonly (string | null)[]>;
}

const { bool, int4, int8, oid, numeric, float8, text, json } = typeNumbers;
const unnamed = '?column?';
const integers: readonly number[] = [int4, int8, oid];

/** Types by what they are called in a cast. */
const casts: Readonly<Record<string, { readonly type: number; readonly name: string }>> = {
  int: { type: int4, name: 'int4' },
  int4: { type: int4, name: 'int4' },
  integer: { type: int4, name: 'int4' },
  bigint: { type: int8, name: 'int8' },
  int8: { type: int8, name: 'int8' },
  numeric: { type: numeric, name: 'numeric' },
  float8: { type: float8, name: 'float8' },
  text: { type: text, name: 'text' },
  bool: { type: bool, name: 'bool' },
  boolean: { type: bool, name: 'bool' },
  json: { type: json, name: 'json' },
};

/** @throws Unreadable for one with names that the simulation does not know. */
export function selectionOf({ items, from, where }: SelectionTree): Selection {
  const view = from === undefined ? undefined : viewOf(from.name, from.of.length, from.alias);
  const given = (from?.of ?? []).map(tree => compiled(tree, undefined));
  const expressions = items.flatMap(item => {
    if (item === undefined) return Object.keys(view?.columns ?? {}).map(name => compiled({ is: 'column', name }, view));
    const expression = compiled(item.tree, view);
    return item.name === undefined ? expression : { ...expression, name: item.name };
  });
  const condition = where === undefined ? undefined : compiled(where, view);
  const isCount = items.some(item => item !== undefined && counts(item.tree));

  function* rows(outer: Omit<Scope, 'row'>): Generator<(string | null)[]> {
    const scope = { ...outer, row: {} };
    const all =
      view === undefined
        ? [{}]
        : view.rows(
            outer.on,
            given.map(({ of }) => of(scope)),
          );
    let count = 0;
    for (const row of all) {
      const inside = { ...outer, row };
      if (condition !== undefined && condition.of(inside) !== 't') continue;
      count += 1;
      if (!isCount) yield expressions.map(({ of }) => of(inside));
    }
    if (isCount) yield expressions.map(({ of }) => of({ ...outer, row: { [countColumn]: String(count) } }));
  }

  return { columns: expressions.map(({ name, type }) => ({ name, type })), rows };
}

/** Where the number of rows stands. */
const countColumn = 'count(*)';

function counts(tree: Tree): boolean {
  return tree.is === 'count' || (tree.is === 'cast' && counts(tree.of));
}

function compiled(tree: Tree, view: View | undefined): Expression {
  switch (tree.is) {
    case 'text':
      return { name: unnamed, type: text, of: () => tree.value };
    case 'number':
      return { name: unnamed, type: typeOfNumber(tree.value), of: () => tree.value };
    case 'truth':
      return { name: 'bool', type: bool, of: () => truth(tree.value) };
    case 'null':
      return { name: unnamed, type: text, of: () => null };
    case 'parameter':
      return { name: unnamed, type: text, of: ({ values }) => values[tree.at] ?? null };
    case 'column': {
      const type = view?.columns[tree.name];
      if (type === undefined) throw new Unreadable();
      return { name: tree.name, type, of: ({ row }) => row[tree.name] ?? null };
    }
    case 'count':
      return { name: 'count', type: int8, of: ({ row }) => row[countColumn] ?? null };
    case 'cast':
      return cast(compiled(tree.of, view), tree.to, tree.of);
    case 'call':
      return call(
        tree.name,
        tree.of.map(each => compiled(each, view)),
      );
    case 'operator':
      return operation(tree.sign, compiled(tree.left, view), compiled(tree.right, view));
    case 'not': {
      const { of } = compiled(tree.of, view);
      return { name: unnamed, type: bool, of: scope => negated(of(scope)) };
    }
    case 'is null': {
      const { of } = compiled(tree.of, view);
      return { name: unnamed, type: bool, of: scope => truth(of(scope) === null) };
    }
    case 'subquery': {
      const { columns, rows } = selectionOf(tree.selection);
      const [column, ...others] = columns;
      if (column === undefined || others.length > 0) throw new Unreadable();
      return { ...column, of: ({ on, values }) => first(rows({ on, values })) };
    }
  }
}

function typeOfNumber(value: string): number {
  if (value.includes('.')) return numeric;
  return Math.abs(Number(value)) < 2 ** 31 ? int4 : int8;
}

function truth(value: boolean): string {
  return value ? 't' : 'f';
}

function negated(value: string | null): string | null {
  return value === null ? null : truth(value !== 't');
}

function first(rows: Iterable<readonly (string | null)[]>): string | null {
  for (const [value = null, ...others] of rows) {
    if (others.length > 0) throw new Unreadable();
    return value;
  }
  return null;
}

function cast({ name, type, of }: Expression, to: string, tree: Tree): Expression {
  const target = casts[to];
  if (target === undefined) throw new Unreadable();
  const isOwn = tree.is === 'column' || tree.is === 'call' || tree.is === 'count' || tree.is === 'subquery';
  return {
    name: isOwn ? name : target.name,
    type: target.type,
    of: scope => converted(of(scope), type, target.type),
  };
}

function converted(value: string | null, from: number, to: number): string | null {
  if (value === null || from === to) return value;
  if (from === bool && to === text) return value === 't' ? 'true' : 'false';
  if (integers.includes(to) && !/^\s*[-+]?\d+\s*$/.test(value))
    throw new SqlError('22P02', `invalid input syntax for type ${to === int4 ? 'integer' : 'bigint'}: "${value}"`);
  return value;
}

function call(name: string, of: readonly Expression[]): Expression {
  if (name === 'coalesce') {
    const type = of[0]?.type ?? text;
    return { name, type, of: scope => of.map(each => each.of(scope)).find(value => value !== null) ?? null };
  }
  const known = functions[name];
  if (known === undefined || !known.takes.includes(of.length)) throw new Unreadable();
  return {
    name,
    type: known.type,
    of: ({ on, values, row }) =>
      known.call(
        on,
        of.map(each => each.of({ on, values, row })),
      ),
  };
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '=': order => order === 0,
  '<>': order => order !== 0,
  '<': order => order < 0,
  '>': order => order > 0,
  '<=': order => order <= 0,
  '>=': order => order >= 0,
};

function operation(sign: string, left: Expression, right: Expression): Expression {
  const isNumeric = integers.includes(left.type) && integers.includes(right.type);
  const compares = comparisons[sign];
  const isLogical = sign === 'and' || sign === 'or';
  const type = compares !== undefined || isLogical ? bool : sign === '||' ? text : widest(left.type, right.type);
  if (isNumeric !== true && ['+', '-', '*', '/'].includes(sign)) throw new Unreadable();
  const compute = (one: string, other: string): string => {
    if (compares !== undefined) return truth(compares(isNumeric ? Number(one) - Number(other) : compared(one, other)));
    if (sign === '||') return one + other;
    return calculated(sign, BigInt(one), BigInt(other));
  };
  const of = (scope: Scope): string | null => {
    const [one, other] = [left.of(scope), right.of(scope)];
    if (isLogical) return combined(sign, one, other);
    return one === null || other === null ? null : compute(one, other);
  };
  return { name: unnamed, type, of };
}

function widest(one: number, other: number): number {
  return one === int8 || other === int8 ? int8 : int4;
}

function compared(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function combined(sign: string, one: string | null, other: string | null): string | null {
  const deciding = sign === 'and' ? 'f' : 't';
  if (one === deciding || other === deciding) return deciding;
  return one === null || other === null ? null : one;
}

function calculated(sign: string, one: bigint, other: bigint): string {
  if (sign === '+') return String(one + other);
  if (sign === '-') return String(one - other);
  if (sign === '*') return String(one * other);
  if (other === 0n) throw new SqlError('22012', 'division by zero');
  return String(one / other);
}

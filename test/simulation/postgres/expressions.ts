import { UnknownStatement } from './commands.ts';
import { problems } from './sql-error.ts';
import type { Row } from './store.ts';
import type { Branch, Expression, Operator } from './syntax.ts';
import type { TableDefinition } from './tables.ts';
import {
  compareValues,
  converted,
  isMoment,
  isNumeric,
  isOrdered,
  listOf,
  listValue,
  longName,
  type TypeName,
  typedValue,
  typeNamed,
} from './values.ts';

/** What the names in an expression mean. */
export interface Scope {
  readonly tables: readonly { readonly alias: string; readonly definition: TableDefinition }[];
  /** The types of the parameters, as far as it is known what they are used for. */
  readonly parameters: Map<number, TypeName>;
}

/** What an expression is computed from. */
export interface Moment {
  /** By their aliases; undefined for the partner of a row that has none. */
  readonly rows: Readonly<Record<string, Row | undefined>>;
  readonly parameters: readonly (string | null)[];
}

/** An expression whose names and types are known. */
export interface Computed {
  readonly type: TypeName;
  readonly of: (moment: Moment) => string | null;
}

/** `wanted` is the type of a text or a parameter that has none of its own. @throws SqlError */
export function compile(expression: Expression, scope: Scope, wanted?: TypeName): Computed {
  switch (expression.is) {
    case 'value':
      return value(expression, scope, wanted);
    case 'column':
      return column(expression, scope);
    case 'operation':
      return operation(expression, scope);
    case 'in':
      return isIn(expression, scope);
    case 'case':
      return oneOf(expression, scope, wanted);
    case 'cast':
      return cast(expression, scope);
    case 'list':
      return list(expression.items, scope);
  }
}

export function compileCondition(expression: Expression | undefined, scope: Scope, where = 'WHERE') {
  if (expression === undefined) return () => true;
  const { type, of } = compile(expression, scope, 'bool');
  if (type !== 'bool') throw problems.noBoolean(where, longName(type));
  return (moment: Moment) => of(moment) === 't';
}

type Of<Is extends Expression['is']> = Extract<Expression, { is: Is }>;

function isUntyped(expression: Expression, { parameters }: Scope): boolean {
  if (expression.is !== 'value' || expression.kind !== undefined) return false;
  return 'literal' in expression.slot || !parameters.has(expression.slot.parameter);
}

function value({ slot, kind }: Of<'value'>, { parameters }: Scope, wanted: TypeName | undefined): Computed {
  if ('literal' in slot) {
    const { literal } = slot;
    if (literal !== null && kind !== undefined)
      return constant(kind === 'bool' ? 'bool' : numberType(literal), literal);
    const type = wanted ?? 'text';
    return constant(type, literal === null ? null : typedValue(type, literal));
  }
  const type = parameters.get(slot.parameter) ?? wanted ?? 'text';
  parameters.set(slot.parameter, type);
  return { type, of: moment => moment.parameters[slot.parameter] ?? null };
}

function constant(type: TypeName, text: string | null): Computed {
  return { type, of: () => text };
}

function numberType(text: string): TypeName {
  if (text.includes('.')) return 'numeric';
  const number = Math.abs(Number(text));
  return number < 2 ** 31 ? 'int4' : number < 2 ** 63 ? 'int8' : 'numeric';
}

function column({ of, name }: Of<'column'>, { tables }: Scope): Computed {
  const candidates = of === undefined ? tables : tables.filter(({ alias }) => alias === of);
  if (of !== undefined && candidates.length === 0) throw problems.noSource(of);
  const [found, ...others] = candidates.filter(({ definition }) => Object.hasOwn(definition.columns, name));
  const type = found?.definition.columns[name]?.type;
  if (found === undefined || type === undefined)
    throw problems.noColumn(of === undefined ? `"${name}"` : `${of}.${name}`);
  if (others.length > 0) throw problems.ambiguous(name);
  return { type, of: ({ rows }) => rows[found.alias]?.[name] ?? null };
}

/** Both sides; one without a type of its own has that of the other. */
function sides(left: Expression, right: Expression, scope: Scope, wanted?: TypeName): readonly [Computed, Computed] {
  if (!isUntyped(left, scope)) {
    const one = compile(left, scope, wanted);
    return [one, compile(right, scope, one.type)];
  }
  const other = compile(right, scope, wanted);
  return [compile(left, scope, other.type), other];
}

function operation({ operator, left, right }: Of<'operation'>, scope: Scope): Computed {
  if (operator === 'and' || operator === 'or') return logical(operator, left, right, scope);
  const [one, other] = sides(left, right, scope);
  const type = operandType(one.type, operator, other.type);
  const isComparison = isComparing(operator);
  return {
    type: isComparison ? 'bool' : type,
    of: moment => {
      const [first, second] = [one.of(moment), other.of(moment)];
      if (first === null || second === null) return null;
      return isComparison ? compared(operator, compareValues(type, first, second)) : sum(type, operator, first, second);
    },
  };
}

/** The type that both sides are looked at as. @throws SqlError when there is no such operator. */
function operandType(one: TypeName, operator: Operator, other: TypeName): TypeName {
  const type = isNumeric(one) && isNumeric(other) ? wider(one, other) : one;
  const isKnown = isComparing(operator) ? isOrdered(type) && isOrdered(other) : type === 'int4' || type === 'int8';
  const areLikeEachOther = one === other || (isNumeric(one) && isNumeric(other));
  if (isKnown && areLikeEachOther) return type;
  const areKnown = [one, other].every(each => isOrdered(each) && !isMoment(each));
  if (areKnown && !areLikeEachOther) throw problems.noOperator(longName(one), operator, longName(other));
  throw new UnknownStatement(`${one} ${operator} ${other}`);
}

const widths: readonly TypeName[] = ['int4', 'int8', 'numeric', 'float8'];

function wider(one: TypeName, other: TypeName): TypeName {
  return widths.indexOf(one) > widths.indexOf(other) ? one : other;
}

const comparing = { '=': [0], '<>': [-1, 1], '<': [-1], '>': [1], '<=': [-1, 0], '>=': [0, 1] };

function isComparing(operator: Operator): operator is keyof typeof comparing {
  return operator in comparing;
}

function compared(operator: keyof typeof comparing, difference: number): string {
  return bool(comparing[operator].includes(Math.sign(difference)));
}

function bool(isTrue: boolean): string {
  return isTrue ? 't' : 'f';
}

/** Of whole numbers. */
function sum(type: TypeName, operator: Operator, one: string, other: string): string {
  const [left, right] = [BigInt(one), BigInt(other)];
  if (operator === '/' && right === 0n) throw problems.divisionByZero();
  const result =
    operator === '+' ? left + right : operator === '-' ? left - right : operator === '*' ? left * right : left / right;
  const limit = type === 'int4' ? 2n ** 31n : 2n ** 63n;
  if (result < -limit || result >= limit) throw problems.outOfRange(longName(type));
  return String(result);
}

/** What decides alone, also beside what is not known. */
function logical(operator: 'and' | 'or', left: Expression, right: Expression, scope: Scope): Computed {
  const all = [left, right].map(side => compile(side, scope, 'bool'));
  for (const { type } of all) if (type !== 'bool') throw problems.noBoolean(operator.toUpperCase(), longName(type));
  const decisive = operator === 'and' ? 'f' : 't';
  return { type: 'bool', of: moment => decided(all, moment, decisive) };
}

function decided(all: readonly Computed[], moment: Moment, decisive: 'f' | 't'): string | null {
  let isUnknown = false;
  for (const { of } of all) {
    const found = of(moment);
    if (found === decisive) return decisive;
    isUnknown ||= found === null;
  }
  return isUnknown ? null : bool(decisive === 'f');
}

function isIn({ value: left, list: items }: Of<'in'>, scope: Scope): Computed {
  const all = items.map(right => operation({ is: 'operation', operator: '=', left, right }, scope));
  return { type: 'bool', of: moment => decided(all, moment, 't') };
}

function oneOf({ branches, otherwise }: Of<'case'>, scope: Scope, wanted: TypeName | undefined): Computed {
  const type = sharedType('CASE', [...branches.map(branch => branch.value), otherwise], scope) ?? wanted ?? 'text';
  const compiled = branches.map(({ when, value: then }: Branch) => ({
    isMeant: compileCondition(when, scope, 'CASE/WHEN'),
    value: compile(then, scope, type),
  }));
  const last = compile(otherwise, scope, type);
  return {
    type,
    of: moment => (compiled.find(({ isMeant }) => isMeant(moment))?.value ?? last).of(moment),
  };
}

/** The type of those that have one of their own. */
function sharedType(what: string, all: readonly Expression[], scope: Scope): TypeName | undefined {
  const types = all.filter(each => !isUntyped(each, scope)).map(each => compile(each, scope).type);
  const [first, ...others] = types;
  return first && others.reduce((one, other) => common(what, one, other), first);
}

function common(what: string, one: TypeName, other: TypeName): TypeName {
  if (one === other) return one;
  if (isNumeric(one) && isNumeric(other)) return wider(one, other);
  throw problems.differentTypes(what, longName(one), longName(other));
}

function cast({ value: inner, to }: Of<'cast'>, scope: Scope): Computed {
  const type = typeNamed(to);
  if (type === undefined) throw problems.noType(to);
  const from = compile(inner, scope, type);
  if (from.type === type) return from;
  return {
    type,
    of: moment => {
      const found = from.of(moment);
      return found === null ? null : converted(from.type, type, found);
    },
  };
}

function list(items: readonly Expression[], scope: Scope): Computed {
  const item = sharedType('ARRAY', items, scope) ?? 'text';
  const compiled = items.map(each => compile(each, scope, item));
  const areLists = item.endsWith('[]');
  return {
    type: listOf(item),
    of: moment =>
      listValue(
        compiled.map(({ of }) => of(moment)),
        areLists,
      ),
  };
}

/** The expression as a column of this type takes it. */
export function compileFor(name: string, type: TypeName, expression: Expression, scope: Scope): Computed {
  return assigned(name, type, compile(expression, scope, type));
}

export function assigned(name: string, type: TypeName, given: Computed): Computed {
  if (given.type === type) return given;
  const fits = type === 'text' || (isNumeric(given.type) && isNumeric(type));
  if (!fits) throw problems.wrongType(name, longName(type), longName(given.type));
  return {
    type,
    of: moment => {
      const found = given.of(moment);
      return found === null ? null : converted(given.type, type, found);
    },
  };
}

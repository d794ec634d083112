import { type ColumnType, typeNamed } from './column-types.ts';
import { readingTokens, type Tokens, Unreadable } from './tokens.ts';

/** A table or an index, as a statement names it. */
export interface Named {
  readonly schema: string;
  readonly name: string;
  /** The schema stands there. */
  readonly isQualified?: true;
}

/** What a column has without a value: the next of its sequence, the moment of the transaction, or a value. */
export type Initially =
  | { readonly is: 'next' }
  | { readonly is: 'now' }
  | { readonly is: 'value'; readonly text: string };

/** A column that is compared with a number, such as `balance >= 0`. */
export interface Comparison {
  readonly column: string;
  readonly operator: string;
  readonly number: string;
}

export type ReadConstraint = { readonly name: string | undefined } & (
  | {
      readonly is: 'unique';
      readonly columns: readonly string[];
      readonly isPrimary: boolean;
      readonly isDeferrable: boolean;
      readonly isDeferred: boolean;
    }
  | { readonly is: 'check'; readonly must: Comparison }
  | {
      readonly is: 'foreign key';
      readonly columns: readonly string[];
      readonly to: Named;
      /** Undefined: its primary key. */
      readonly toColumns: readonly string[] | undefined;
    }
);

export interface ReadColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly isRequired: boolean;
  readonly initially: Initially | undefined;
}

/** A statement that makes, changes or drops tables and indexes. */
export type Ddl =
  | { readonly does: 'create schema'; readonly name: string; readonly unlessThere: boolean }
  | {
      readonly does: 'create table';
      readonly table: Named;
      readonly unlessThere: boolean;
      readonly columns: readonly ReadColumn[];
      readonly constraints: readonly ReadConstraint[];
    }
  | { readonly does: 'drop table'; readonly tables: readonly Named[]; readonly ifThere: boolean }
  | { readonly does: 'add column'; readonly table: Named; readonly column: ReadColumn }
  | { readonly does: 'drop column'; readonly table: Named; readonly column: string }
  | {
      readonly does: 'create index';
      readonly name: string;
      readonly table: Named;
      readonly columns: readonly string[];
      readonly isUnique: boolean;
      readonly isConcurrent: boolean;
    }
  | { readonly does: 'drop index'; readonly index: Named; readonly isConcurrent: boolean; readonly ifThere: boolean };

/** Undefined for a statement that is not one of these, in one of the few forms that are read. */
export function readDdl(sql: string): Ddl | undefined {
  if (!/^(?:create|alter|drop) /i.test(sql)) return undefined;
  return readingTokens(sql, statement);
}

function statement(tokens: Tokens): Ddl {
  if (tokens.skips('create', 'schema')) {
    const unlessThere = tokens.skips('if', 'not', 'exists');
    return { does: 'create schema', name: tokens.name(), unlessThere };
  }
  if (tokens.skips('create', 'table')) return createTable(tokens);
  if (tokens.skips('create', 'unique', 'index')) return createIndex(tokens, true);
  if (tokens.skips('create', 'index')) return createIndex(tokens, false);
  if (tokens.skips('alter', 'table')) return alterTable(tokens);
  if (tokens.skips('drop', 'table')) {
    const ifThere = tokens.skips('if', 'exists');
    return { does: 'drop table', tables: tokens.list(() => named(tokens)), ifThere };
  }
  tokens.expect('drop', 'index');
  const isConcurrent = tokens.skips('concurrently');
  const ifThere = tokens.skips('if', 'exists');
  return { does: 'drop index', index: named(tokens), isConcurrent, ifThere };
}

export function named(tokens: Tokens): Named {
  const first = tokens.name();
  if (!tokens.skips('.')) return { schema: 'public', name: first };
  return { schema: first, name: tokens.name(), isQualified: true };
}

function createIndex(tokens: Tokens, isUnique: boolean): Ddl {
  const isConcurrent = tokens.skips('concurrently');
  const name = tokens.name();
  tokens.expect('on');
  const table = named(tokens);
  const columns = tokens.inBrackets(() => tokens.name());
  return { does: 'create index', name, table, columns, isUnique, isConcurrent };
}

function alterTable(tokens: Tokens): Ddl {
  const table = named(tokens);
  if (tokens.skips('drop')) {
    tokens.skips('column');
    return { does: 'drop column', table, column: tokens.name() };
  }
  tokens.expect('add');
  tokens.skips('column');
  const { column, constraints } = readColumn(tokens);
  if (constraints.length > 0) throw new Unreadable();
  return { does: 'add column', table, column };
}

function createTable(tokens: Tokens): Ddl {
  const unlessThere = tokens.skips('if', 'not', 'exists');
  const table = named(tokens);
  const columns: ReadColumn[] = [];
  const constraints: ReadConstraint[] = [];
  tokens.inBrackets(() => {
    const constraint = readConstraint(tokens);
    if (constraint !== undefined) {
      constraints.push(constraint);
      return;
    }
    const read = readColumn(tokens);
    columns.push(read.column);
    constraints.push(...read.constraints);
  });
  return { does: 'create table', table, unlessThere, columns, constraints };
}

/** Undefined when a column stands there. */
function readConstraint(tokens: Tokens): ReadConstraint | undefined {
  const name = tokens.skips('constraint') ? tokens.name() : undefined;
  if (tokens.skips('primary', 'key')) return keyOf(tokens, name, columnNames(tokens), true);
  if (tokens.skips('unique')) return keyOf(tokens, name, columnNames(tokens), false);
  if (tokens.skips('check')) return { is: 'check', name, must: comparison(tokens) };
  if (tokens.skips('foreign', 'key')) {
    const columns = columnNames(tokens);
    tokens.expect('references');
    return { is: 'foreign key', name, columns, ...target(tokens) };
  }
  if (name !== undefined) throw new Unreadable();
  return undefined;
}

function columnNames(tokens: Tokens): readonly string[] {
  return tokens.inBrackets(() => tokens.name());
}

function keyOf(
  tokens: Tokens,
  name: string | undefined,
  columns: readonly string[],
  isPrimary: boolean,
): ReadConstraint {
  const isDeferrable = tokens.skips('deferrable');
  const isDeferred = isDeferrable && tokens.skips('initially', 'deferred');
  return { is: 'unique', name, columns, isPrimary, isDeferrable, isDeferred };
}

function target(tokens: Tokens): { readonly to: Named; readonly toColumns: readonly string[] | undefined } {
  const to = named(tokens);
  return { to, toColumns: tokens.peek === '(' ? columnNames(tokens) : undefined };
}

function comparison(tokens: Tokens): Comparison {
  tokens.expect('(');
  const column = tokens.name();
  const operator = tokens.next();
  if (!['>', '>=', '<', '<=', '=', '<>'].includes(operator)) throw new Unreadable();
  const number = tokens.next();
  if (!/^-?\d+$/.test(number)) throw new Unreadable();
  tokens.expect(')');
  return { column, operator, number };
}

function readColumn(tokens: Tokens): { readonly column: ReadColumn; readonly constraints: readonly ReadConstraint[] } {
  const name = tokens.name();
  const isSerial = tokens.skips('serial');
  const type: ColumnType = isSerial ? { name: 'int4' } : readType(tokens);
  let isRequired = isSerial;
  let initially: Initially | undefined = isSerial ? { is: 'next' } : undefined;
  const constraints: ReadConstraint[] = [];
  while (!tokens.isAtEnd && tokens.peek !== ',' && tokens.peek !== ')') {
    if (tokens.skips('not', 'null')) isRequired = true;
    else if (tokens.skips('default')) initially = readInitially(tokens);
    else if (tokens.skips('primary', 'key')) {
      isRequired = true;
      constraints.push(keyOf(tokens, undefined, [name], true));
    } else if (tokens.skips('unique')) constraints.push(keyOf(tokens, undefined, [name], false));
    else if (tokens.skips('references'))
      constraints.push({ is: 'foreign key', name: undefined, columns: [name], ...target(tokens) });
    else if (tokens.skips('check')) constraints.push({ is: 'check', name: undefined, must: comparison(tokens) });
    else tokens.expect('null');
  }
  return { column: { name, type, isRequired, initially }, constraints };
}

function readInitially(tokens: Tokens): Initially {
  if (tokens.skips('current_timestamp')) return { is: 'now' };
  const next = tokens.next();
  if (/^-?\d/.test(next) || next === 'true' || next === 'false') return { is: 'value', text: next };
  if (next.startsWith("'")) return { is: 'value', text: next.slice(1, -1).replaceAll("''", "'") };
  throw new Unreadable();
}

function readType(tokens: Tokens): ColumnType {
  const name = typeNamed(tokens.name());
  if (name === undefined) throw new Unreadable();
  const numbers = tokens.peek === '(' ? tokens.inBrackets(() => tokens.number()) : [];
  const isArray = tokens.skips('[', ']');
  const [first, second = 0] = numbers;
  return {
    name,
    ...(first !== undefined && (name === 'numeric' ? { precision: first, scale: second } : { length: first })),
    ...(isArray && { isArray }),
  };
}

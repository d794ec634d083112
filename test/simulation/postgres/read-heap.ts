import type { Slot } from './commands.ts';
import { type Named, named } from './read-ddl.ts';
import { readingTokens, type Tokens, Unreadable } from './tokens.ts';

/** What a column gets: a value, its default, or another column plus a number. */
export type Given = Slot | { readonly isDefault: true } | { readonly column: string; readonly plus: number };

/** All of them must be true; each says that a column is one of some values. */
export type Conditions = readonly { readonly column: string; readonly isOneOf: readonly Slot[] }[];

/** A statement about the rows of one table that was made with DDL. */
export type HeapStatement =
  | {
      readonly does: 'insert';
      readonly table: Named;
      /** Undefined: all of the table, in their order. */
      readonly columns: readonly string[] | undefined;
      readonly rows: readonly (readonly Given[])[];
      readonly returning: readonly string[];
    }
  | {
      readonly does: 'select';
      readonly table: Named;
      /** `*` for all columns; `count` for the number of rows, `one` for a 1 for each. */
      readonly columns: readonly string[] | 'count' | 'one';
      readonly where: Conditions;
      readonly order: { readonly column: string; readonly isDown: boolean } | undefined;
      readonly limit: Slot | undefined;
      readonly forUpdate: boolean;
    }
  | {
      readonly does: 'update';
      readonly table: Named;
      readonly set: ReadonlyMap<string, Given>;
      readonly where: Conditions;
      readonly returning: readonly string[];
    }
  | { readonly does: 'delete'; readonly table: Named; readonly where: Conditions };

/** Undefined for a statement that is not one of these, in one of the few forms that are read. */
export function readHeap(sql: string): HeapStatement | undefined {
  return readingTokens(sql, statement);
}

function statement(tokens: Tokens): HeapStatement {
  if (tokens.skips('insert', 'into')) return insert(tokens);
  if (tokens.skips('select')) return select(tokens);
  if (tokens.skips('update')) return update(tokens);
  tokens.expect('delete', 'from');
  const { table, alias } = tableWithAlias(tokens);
  return { does: 'delete', table, where: where(tokens, alias) };
}

function insert(tokens: Tokens): HeapStatement {
  const table = named(tokens);
  const columns = tokens.peek === '(' ? tokens.inBrackets(() => tokens.name()) : undefined;
  tokens.expect('values');
  const rows = tokens.list(() => tokens.inBrackets(() => given(tokens)));
  return { does: 'insert', table, columns, rows, returning: returning(tokens) };
}

function select(tokens: Tokens): HeapStatement {
  const columns = selected(tokens);
  tokens.expect('from');
  const { table, alias } = tableWithAlias(tokens);
  return {
    does: 'select',
    table,
    columns,
    where: where(tokens, alias),
    order: tokens.skips('order', 'by') ? order(tokens, alias) : undefined,
    limit: tokens.skips('limit') ? slot(tokens) : undefined,
    forUpdate: tokens.skips('for', 'update'),
  };
}

function selected(tokens: Tokens): readonly string[] | 'count' | 'one' {
  if (tokens.skips('1')) return 'one';
  if (!tokens.skips('count', '(', '*', ')'))
    return tokens.list(() => {
      const first = starOrName(tokens);
      return tokens.skips('.') ? starOrName(tokens) : first;
    });
  if (tokens.skips('as')) tokens.expect('"count"');
  return 'count';
}

function order(tokens: Tokens, alias: string): { column: string; isDown: boolean } {
  const name = column(tokens, alias);
  const isDown = tokens.skips('desc');
  if (!isDown) tokens.skips('asc');
  return { column: name, isDown };
}

function update(tokens: Tokens): HeapStatement {
  const { table, alias } = tableWithAlias(tokens);
  tokens.expect('set');
  const set = tokens.list((): [string, Given] => {
    const name = column(tokens, alias);
    tokens.expect('=');
    return [name, given(tokens)];
  });
  return { does: 'update', table, set: new Map(set), where: where(tokens, alias), returning: returning(tokens) };
}

function returning(tokens: Tokens): readonly string[] {
  return tokens.skips('returning') ? tokens.list(() => starOrName(tokens)) : [];
}

function where(tokens: Tokens, alias: string): Conditions {
  if (!tokens.skips('where')) return [];
  const all: { column: string; isOneOf: readonly Slot[] }[] = [];
  do {
    const name = column(tokens, alias);
    if (tokens.skips('in')) all.push({ column: name, isOneOf: tokens.inBrackets(() => slot(tokens)) });
    else {
      tokens.expect('=');
      all.push({ column: name, isOneOf: [slot(tokens)] });
    }
  } while (tokens.skips('and'));
  return all;
}

function tableWithAlias(tokens: Tokens): { readonly table: Named; readonly alias: string } {
  const table = named(tokens);
  return { table, alias: tokens.skips('as') ? tokens.name() : table.name };
}

function column(tokens: Tokens, alias: string): string {
  const name = tokens.name();
  if (!tokens.skips('.')) return name;
  if (name !== alias) throw new Unreadable();
  return tokens.name();
}

function given(tokens: Tokens): Given {
  if (tokens.skips('default')) return { isDefault: true };
  if (tokens.peek.toLowerCase() === 'null' || !/^[a-z"]/i.test(tokens.peek)) return slot(tokens);
  const name = tokens.name();
  tokens.expect('+');
  return { column: name, plus: Number(integer(tokens)) };
}

export function slot(tokens: Tokens): Slot {
  const next = tokens.next();
  if (next.startsWith('$')) return { parameter: Number(next.slice(1)) - 1 };
  if (next.toLowerCase() === 'null') return { literal: null };
  if (next.startsWith("'")) return { literal: next.slice(1, -1).replaceAll("''", "'") };
  if (/^-?\d/.test(next)) return { literal: next };
  throw new Unreadable();
}

function integer(tokens: Tokens): string {
  const next = tokens.next();
  if (!/^-?\d+$/.test(next)) throw new Unreadable();
  return next;
}

function starOrName(tokens: Tokens): string {
  return tokens.skips('*') ? '*' : tokens.name();
}

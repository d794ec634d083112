import type { Slot } from './commands.ts';

/** What gives a value in a statement. */
export type Expression =
  | { readonly is: 'value'; readonly slot: Slot; readonly kind?: 'number' | 'bool' }
  | { readonly is: 'column'; readonly of: string | undefined; readonly name: string }
  | { readonly is: 'operation'; readonly operator: Operator; readonly left: Expression; readonly right: Expression }
  | { readonly is: 'in'; readonly value: Expression; readonly list: readonly Expression[] }
  | { readonly is: 'case'; readonly branches: readonly Branch[]; readonly otherwise: Expression }
  | { readonly is: 'cast'; readonly value: Expression; readonly to: string }
  | { readonly is: 'list'; readonly items: readonly Expression[] };

export type Operator = '=' | '<>' | '<' | '>' | '<=' | '>=' | '+' | '-' | '*' | '/' | 'and' | 'or';

export interface Branch {
  readonly when: Expression;
  readonly value: Expression;
}

/** What a column gets. */
export type Given = Expression | { readonly is: 'default' };

export interface Source {
  readonly table: string;
  readonly alias: string;
}

export interface Join {
  /** A row without a partner is kept. */
  readonly isLeft: boolean;
  readonly source: Source;
  readonly on: Expression;
}

/** A column of the answer; all columns of a table, or of every table; or the number of rows. */
export type Item =
  | { readonly is: 'expression'; readonly expression: Expression; readonly name: string }
  | { readonly is: 'all'; readonly of: string | undefined }
  | { readonly is: 'count'; readonly name: string };

export interface Order {
  readonly expression: Expression;
  readonly isDown: boolean;
}

export interface Select {
  readonly does: 'select';
  readonly items: readonly Item[];
  readonly from: Source | undefined;
  readonly joins: readonly Join[];
  readonly where: Expression | undefined;
  readonly order: readonly Order[];
  readonly limit: Expression | undefined;
  readonly forUpdate: boolean;
}

export type Setting = readonly [column: string, given: Given];

export interface Insert {
  readonly does: 'insert';
  readonly into: Source;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Given[])[] | Select;
  readonly conflict: Conflict | undefined;
  readonly returning: readonly Item[];
}

/** What is done instead of inserting a row whose columns have the values of another row; undefined: nothing. */
export interface Conflict {
  readonly columns: readonly string[];
  readonly set: readonly Setting[] | undefined;
}

export interface Update {
  readonly does: 'update';
  readonly table: Source;
  readonly set: readonly Setting[];
  readonly where: Expression | undefined;
  readonly returning: readonly Item[];
}

export interface Delete {
  readonly does: 'delete';
  readonly table: Source;
  readonly where: Expression | undefined;
  readonly returning: readonly Item[];
}

export interface Truncate {
  readonly does: 'truncate';
  readonly tables: readonly string[];
}

/** A statement about rows. */
export type RowStatement = Select | Insert | Update | Delete | Truncate;

/** All tables that it names. */
export function tablesOf(statement: RowStatement): readonly string[] {
  switch (statement.does) {
    case 'truncate':
      return statement.tables;
    case 'insert':
      return [statement.into.table, ...('does' in statement.rows ? tablesOf(statement.rows) : [])];
    case 'select':
      return [
        ...(statement.from === undefined ? [] : [statement.from]),
        ...statement.joins.map(join => join.source),
      ].map(({ table }) => table);
    default:
      return [statement.table.table];
  }
}

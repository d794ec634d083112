import type { Slot } from './commands.ts';

/** What a column gets: a value, its default, or itself plus a number. */
export type Given = Slot | { readonly isDefault: true } | { readonly column: string; readonly plus: number };

/** All of them must be true; each says that a column is one of some values, or is not. */
export type Conditions = readonly {
  readonly column: string;
  readonly isOneOf: readonly Slot[];
  readonly isNot?: true;
}[];

/** A statement about the rows of one table with columns. */
export type RowStatement =
  | {
      readonly does: 'insert';
      readonly table: string;
      readonly rows: readonly ReadonlyMap<string, Given>[];
      readonly returning: readonly string[];
    }
  | {
      readonly does: 'select';
      readonly table: string;
      /** `*` for all columns; undefined for their number. */
      readonly columns: readonly string[] | undefined;
      readonly where: Conditions;
      readonly order: { readonly column: string; readonly isDown: boolean } | undefined;
      readonly limit: Slot | undefined;
      readonly forUpdate: boolean;
    }
  | {
      readonly does: 'update';
      readonly table: string;
      readonly set: ReadonlyMap<string, Given>;
      readonly where: Conditions;
      readonly returning: readonly string[];
    }
  | { readonly does: 'delete'; readonly table: string; readonly where: Conditions }
  | { readonly does: 'truncate'; readonly tables: readonly string[] };

/** The statement is another than those that are read here. */
class Unreadable extends Error {}

/** Undefined for a statement that is not one of these, in one of the few forms that are read. */
export function readRows(sql: string): RowStatement | undefined {
  try {
    return new Reader(sql).statement();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

const token = /\s*("[^"]*"|'(?:[^']|'')*'|\$\d+|-?\d+|\w+|<>|[(),.*=+])/y;

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(sql: string) {
    const tokens: string[] = [];
    for (token.lastIndex = 0; token.lastIndex < sql.length; ) {
      const found = token.exec(sql)?.[1];
      if (found === undefined) throw new Unreadable();
      tokens.push(found);
    }
    this.#tokens = tokens;
  }

  statement(): RowStatement {
    const read = this.#statement();
    if (this.#at < this.#tokens.length) throw new Unreadable();
    return read;
  }

  #statement(): RowStatement {
    if (this.#skips('insert', 'into')) return this.#insert();
    if (this.#skips('select')) return this.#select();
    if (this.#skips('update')) return this.#update();
    if (this.#skips('delete', 'from')) {
      const { table, alias } = this.#tableWithAlias();
      return { does: 'delete', table, where: this.#where(alias) };
    }
    this.#expect('truncate');
    const tables = this.#list(() => this.#name());
    this.#expect('restart', 'identity');
    return { does: 'truncate', tables };
  }

  #insert(): RowStatement {
    const table = this.#name();
    const columns = this.#inBrackets(() => this.#name());
    this.#expect('values');
    const rows = this.#list(() => {
      const values = this.#inBrackets(() => this.#given());
      return new Map(columns.map((column, at) => [column, values[at] ?? { isDefault: true as const }]));
    });
    return { does: 'insert', table, rows, returning: this.#returning() };
  }

  #select(): RowStatement {
    const columns = this.#skips('count', '(', '*', ')')
      ? undefined
      : this.#list(() => {
          const first = this.#starOrName();
          return this.#skips('.') ? this.#starOrName() : first;
        });
    if (columns === undefined && this.#skips('as')) this.#expect('"count"');
    this.#expect('from');
    const { table, alias } = this.#tableWithAlias();
    return {
      does: 'select',
      table,
      columns,
      where: this.#where(alias),
      order: this.#skips('order', 'by') ? this.#order(alias) : undefined,
      limit: this.#skips('limit') ? this.#slot() : undefined,
      forUpdate: this.#skips('for', 'update'),
    };
  }

  #order(alias: string): { column: string; isDown: boolean } {
    const column = this.#column(alias);
    const isDown = this.#skips('desc');
    if (!isDown) this.#skips('asc');
    return { column, isDown };
  }

  #update(): RowStatement {
    const { table, alias } = this.#tableWithAlias();
    this.#expect('set');
    const set = this.#list((): [string, Given] => {
      const column = this.#column(alias);
      this.#expect('=');
      return [column, this.#given()];
    });
    return { does: 'update', table, set: new Map(set), where: this.#where(alias), returning: this.#returning() };
  }

  #returning(): readonly string[] {
    return this.#skips('returning') ? this.#list(() => this.#name()) : [];
  }

  #where(alias: string): Conditions {
    if (!this.#skips('where')) return [];
    const all: { column: string; isOneOf: readonly Slot[]; isNot?: true }[] = [];
    do {
      const column = this.#column(alias);
      if (this.#skips('in')) all.push({ column, isOneOf: this.#inBrackets(() => this.#slot()) });
      else if (this.#skips('<>')) all.push({ column, isOneOf: [this.#slot()], isNot: true });
      else {
        this.#expect('=');
        all.push({ column, isOneOf: [this.#slot()] });
      }
    } while (this.#skips('and'));
    return all;
  }

  #tableWithAlias(): { readonly table: string; readonly alias: string } {
    const table = this.#name();
    return { table, alias: this.#skips('as') ? this.#name() : table };
  }

  #column(alias: string): string {
    const name = this.#name();
    if (!this.#skips('.')) return name;
    if (name !== alias) throw new Unreadable();
    return this.#name();
  }

  #given(): Given {
    if (this.#skips('default')) return { isDefault: true };
    const next = this.#tokens[this.#at] ?? '';
    if (next === 'null' || !/^[a-z"]/.test(next)) return this.#slot();
    const column = this.#name();
    this.#expect('+');
    return { column, plus: Number(this.#next()) };
  }

  #slot(): Slot {
    const next = this.#next();
    if (next.startsWith('$')) return { parameter: Number(next.slice(1)) - 1 };
    if (next === 'null') return { literal: null };
    if (next.startsWith("'")) return { literal: next.slice(1, -1).replaceAll("''", "'") };
    if (/^-?\d/.test(next)) return { literal: next };
    throw new Unreadable();
  }

  #starOrName(): string {
    return this.#skips('*') ? '*' : this.#name();
  }

  #name(): string {
    const next = this.#next();
    if (/^"\w+"$/.test(next)) return next.slice(1, -1);
    if (/^[a-z_]\w*$/.test(next)) return next;
    throw new Unreadable();
  }

  #inBrackets<T>(read: () => T): T[] {
    this.#expect('(');
    const all = this.#list(read);
    this.#expect(')');
    return all;
  }

  #list<T>(read: () => T): T[] {
    const all = [read()];
    while (this.#skips(',')) all.push(read());
    return all;
  }

  #skips(...words: readonly string[]): boolean {
    if (!words.every((word, at) => this.#tokens[this.#at + at] === word)) return false;
    this.#at += words.length;
    return true;
  }

  #expect(...words: readonly string[]): void {
    if (!this.#skips(...words)) throw new Unreadable();
  }

  #next(): string {
    const next = this.#tokens[this.#at];
    if (next === undefined) throw new Unreadable();
    this.#at += 1;
    return next;
  }
}

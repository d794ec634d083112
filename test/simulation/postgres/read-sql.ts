import type {
  Branch,
  Conflict,
  Delete,
  Expression,
  Given,
  Insert,
  Item,
  Join,
  Operator,
  Order,
  RowStatement,
  Select,
  Setting,
  Source,
  Update,
} from './syntax.ts';
import { typeNamed } from './values.ts';

/** The statement is another than those that are read here. */
class Unreadable extends Error {}

/** Undefined for a statement that is not about rows, or not in one of the few forms that are read. */
export function readRows(sql: string): RowStatement | undefined {
  try {
    return new Reader(sql).statement();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

const token = /\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|\$\d+|\d+(?:\.\d+)?|\w+|::|<>|!=|<=|>=|[(),.*=+\-/<>[\]])/y;

/** Words that are no names, unless they are quoted. */
const reserved = new Set(
  'all and array as asc between case check current_user default desc distinct else end false for from group having in inner is join left limit not null offset on or order returning select session_user set then true union when where'.split(
    ' ',
  ),
);

const operators: readonly (readonly Operator[])[] = [
  ['or'],
  ['and'],
  ['=', '<>', '<=', '>=', '<', '>'],
  ['+', '-'],
  ['*', '/'],
];

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(sql: string) {
    const text = sql.trimEnd().replace(/;$/, '').trimEnd();
    const tokens: string[] = [];
    for (token.lastIndex = 0; token.lastIndex < text.length; ) {
      const found = token.exec(text)?.[1];
      if (found === undefined) throw new Unreadable();
      tokens.push(found === '!=' ? '<>' : /^\w/.test(found) ? found.toLowerCase() : found);
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
    if (this.#skips('delete', 'from')) return this.#delete();
    this.#expect('truncate');
    const tables = this.#list(() => this.#name());
    this.#expect('restart', 'identity');
    return { does: 'truncate', tables };
  }

  #insert(): Insert {
    const into = this.#source();
    const columns = this.#inBrackets(() => this.#name());
    const rows = this.#skips('select') ? this.#select() : this.#values(columns.length);
    return { does: 'insert', into, columns, rows, conflict: this.#conflict(), returning: this.#returning() };
  }

  #values(count: number): readonly (readonly Given[])[] {
    this.#expect('values');
    const rows = this.#list(() => this.#inBrackets(() => this.#given()));
    if (rows.some(({ length }) => length !== count)) throw new Unreadable();
    return rows;
  }

  #conflict(): Conflict | undefined {
    if (!this.#skips('on', 'conflict')) return undefined;
    const columns = this.#inBrackets(() => this.#name());
    if (this.#skips('do', 'nothing')) return { columns, set: undefined };
    this.#expect('do', 'update', 'set');
    return { columns, set: this.#settings() };
  }

  #select(): Select {
    const items = this.#list(() => this.#item());
    const from = this.#skips('from') ? this.#source() : undefined;
    const joins: Join[] = [];
    for (let join = this.#join(); join !== undefined; join = this.#join()) joins.push(join);
    const where = this.#where();
    const order = this.#skips('order', 'by') ? this.#list(() => this.#order()) : [];
    const limit = this.#skips('limit') ? this.#expression() : undefined;
    return { does: 'select', items, from, joins, where, order, limit, forUpdate: this.#skips('for', 'update') };
  }

  #join(): Join | undefined {
    const isLeft = this.#skips('left', 'join');
    if (!isLeft && !this.#skips('inner', 'join')) return undefined;
    const source = this.#source();
    this.#expect('on');
    return { isLeft, source, on: this.#expression() };
  }

  #order(): Order {
    const expression = this.#expression();
    // A number there is the place of a column.
    if (expression.is === 'value') throw new Unreadable();
    const isDown = this.#skips('desc');
    if (!isDown) this.#skips('asc');
    return { expression, isDown };
  }

  #update(): Update {
    const table = this.#source();
    this.#expect('set');
    const set = this.#settings();
    return { does: 'update', table, set, where: this.#where(), returning: this.#returning() };
  }

  #delete(): Delete {
    const table = this.#source();
    return { does: 'delete', table, where: this.#where(), returning: this.#returning() };
  }

  #settings(): readonly Setting[] {
    return this.#list((): Setting => {
      const column = this.#name();
      this.#expect('=');
      return [column, this.#given()];
    });
  }

  #where(): Expression | undefined {
    return this.#skips('where') ? this.#expression() : undefined;
  }

  #returning(): readonly Item[] {
    return this.#skips('returning') ? this.#list(() => this.#item()) : [];
  }

  #item(): Item {
    if (this.#skips('*')) return { is: 'all', of: undefined };
    if (this.#tokens[this.#at + 1] === '.' && this.#tokens[this.#at + 2] === '*') {
      const of = this.#name();
      this.#at += 2;
      return { is: 'all', of };
    }
    if (this.#skips('count', '(', '*', ')')) return { is: 'count', name: this.#label() ?? 'count' };
    const expression = this.#expression();
    return { is: 'expression', expression, name: this.#label() ?? nameOf(expression) ?? '?column?' };
  }

  #label(): string | undefined {
    return this.#skips('as') ? unquoted(this.#next()) : undefined;
  }

  #source(): Source {
    const table = this.#name();
    return { table, alias: this.#skips('as') ? this.#name() : table };
  }

  #given(): Given {
    return this.#skips('default') ? { is: 'default' } : this.#expression();
  }

  #expression(level = 0): Expression {
    const ofLevel = operators[level];
    if (ofLevel === undefined) return this.#cast();
    let left = this.#expression(level + 1);
    for (;;) {
      const operator = ofLevel.find(each => this.#skips(each));
      if (operator !== undefined) left = { is: 'operation', operator, left, right: this.#expression(level + 1) };
      else if (ofLevel.includes('=') && this.#skips('in'))
        left = { is: 'in', value: left, list: this.#inBrackets(() => this.#expression()) };
      else return left;
    }
  }

  #cast(): Expression {
    let value = this.#primary();
    while (this.#skips('::')) value = { is: 'cast', value, to: this.#name() };
    return value;
  }

  #primary(): Expression {
    if (this.#skips('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (this.#skips('case')) return this.#case();
    if (this.#skips('array', '[')) return this.#items();
    if (this.#skips('true')) return { is: 'value', slot: { literal: 't' }, kind: 'bool' };
    if (this.#skips('false')) return { is: 'value', slot: { literal: 'f' }, kind: 'bool' };
    const next = this.#tokens[this.#at] ?? '';
    if (next === 'null' || /^[-$'\d]/.test(next)) return this.#value();
    const name = this.#name();
    return this.#skips('.') ? { is: 'column', of: name, name: this.#name() } : { is: 'column', of: undefined, name };
  }

  #case(): Expression {
    const branches: Branch[] = [];
    while (this.#skips('when')) {
      const when = this.#expression();
      this.#expect('then');
      branches.push({ when, value: this.#expression() });
    }
    const otherwise = this.#skips('else') ? this.#expression() : literal(null);
    this.#expect('end');
    return { is: 'case', branches, otherwise };
  }

  /** Up to the bracket that closes the list. */
  #items(): Expression {
    const items = this.#list(() => (this.#skips('[') ? this.#items() : this.#expression()));
    this.#expect(']');
    return { is: 'list', items };
  }

  #value(): Expression {
    const next = this.#next();
    const sign = next === '-' ? '-' : '';
    const text = sign === '' ? next : this.#next();
    if (/^\d/.test(text)) return { is: 'value', slot: { literal: `${sign}${text}` }, kind: 'number' };
    if (sign !== '') throw new Unreadable();
    if (text === 'null') return literal(null);
    if (text.startsWith('$')) return { is: 'value', slot: { parameter: Number(text.slice(1)) - 1 } };
    return literal(text.slice(1, -1).replaceAll("''", "'"));
  }

  #name(): string {
    const next = this.#next();
    if (next.startsWith('"')) return unquoted(next);
    if (/^[a-z_]/.test(next) && !reserved.has(next)) return next;
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

function literal(text: string | null): Expression {
  return { is: 'value', slot: { literal: text } };
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** As PostgreSQL names the column of an expression without a name. */
function nameOf(expression: Expression): string | undefined {
  const name = ownNameOf(expression);
  if (name !== undefined) return name;
  if (expression.is === 'cast') return typeNamed(expression.to);
  return expression.is === 'case' ? 'case' : undefined;
}

/** The name that a cast around it keeps. */
function ownNameOf(expression: Expression): string | undefined {
  switch (expression.is) {
    case 'column':
      return expression.name;
    case 'cast':
      return ownNameOf(expression.value);
    case 'case':
      return ownNameOf(expression.otherwise);
    case 'list':
      return 'array';
    default:
      return undefined;
  }
}

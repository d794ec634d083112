/** A part of a statement, as PostgreSQL reads it: `Select` is the word `select`, `"Select"` a name, `'select'` a text. */
export interface Word {
  readonly is: 'word' | 'name' | 'text' | 'number' | 'parameter' | 'sign';
  readonly value: string;
  /** Where it begins in the statement. */
  readonly at: number;
}

/** The statement is another than those that are read here. */
export class Unreadable extends Error {}

const shapes: readonly (readonly [Word['is'], RegExp])[] = [
  ['word', /[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/iy],
  ['name', /"(?:[^"]|"")+"/y],
  ['text', /'(?:[^']|'')*'/y],
  ['text', /\$(\w*)\$[\s\S]*?\$\1\$/y],
  ['number', /\d+(?:\.\d+)?/y],
  ['parameter', /\$\d+/y],
  ['sign', /::|\|\||<>|<=|>=|[-+*/(),.;=<>[\]]/y],
];

/** @throws Unreadable for a character that begins nothing. */
function wordsOf(sql: string): readonly Word[] {
  const words: Word[] = [];
  for (let at = afterSpace(sql, 0); at < sql.length; ) {
    const found = wordAt(sql, at);
    if (found === undefined) throw new Unreadable();
    words.push(found.word);
    at = afterSpace(sql, at + found.length);
  }
  return words;
}

function wordAt(sql: string, at: number): { readonly word: Word; readonly length: number } | undefined {
  for (const [is, shape] of shapes) {
    shape.lastIndex = at;
    const found = shape.exec(sql)?.[0];
    if (found !== undefined) return { word: { is, value: contentOf(is, found), at }, length: found.length };
  }
  return undefined;
}

function contentOf(is: Word['is'], found: string): string {
  if (is === 'word') return found.toLowerCase();
  if (is === 'name') return found.slice(1, -1).replaceAll('""', '"');
  if (is === 'parameter') return found.slice(1);
  if (is !== 'text') return found;
  if (found.startsWith("'")) return found.slice(1, -1).replaceAll("''", "'");
  const mark = found.indexOf('$', 1) + 1;
  return found.slice(mark, -mark);
}

/** Where the next word begins: comments count as space, also one inside another. */
export function afterSpace(sql: string, from: number): number {
  let at = from;
  for (;;) {
    const space = /^(?:\s+|--[^\n]*)/.exec(sql.slice(at, at + 200))?.[0];
    if (space !== undefined) at += space.length;
    else if (sql.startsWith('/*', at)) at = afterComment(sql, at);
    else return at;
  }
}

/** With a space instead of each. */
export function withoutComments(sql: string): string {
  let all = '';
  for (let at = 0; at < sql.length; ) {
    const text = /^(?:'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$[\s\S]*?\$\1\$)/.exec(sql.slice(at))?.[0];
    const next = text === undefined ? afterSpace(sql, at) : at + text.length;
    all += text ?? (next > at ? ' ' : sql[at]);
    at = Math.max(next, at + 1);
  }
  return all;
}

function afterComment(sql: string, from: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  for (let depth = 0; ; ) {
    const found = mark.exec(sql);
    if (found === null) return sql.length;
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
}

/** Reads a statement from its first word to its last. */
export class Words {
  readonly #sql: string;
  readonly #words: readonly Word[];
  #at = 0;

  /** @throws Unreadable */
  constructor(sql: string) {
    this.#sql = sql;
    this.#words = wordsOf(sql);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  /** The next one, which stays the next one. */
  get ahead(): Word | undefined {
    return this.#words[this.#at];
  }

  take(): Word {
    const next = this.#words[this.#at];
    if (next === undefined) throw new Unreadable();
    this.#at += 1;
    return next;
  }

  /** Goes behind these words and signs, if they are the next ones. */
  skips(...values: readonly string[]): boolean {
    const isNext = values.every((value, at) => {
      const word = this.#words[this.#at + at];
      return word?.value === value && (word.is === 'word' || word.is === 'sign');
    });
    if (isNext) this.#at += values.length;
    return isNext;
  }

  expect(...values: readonly string[]): void {
    if (!this.skips(...values)) throw new Unreadable();
  }

  /** All that was not read, as it is written. */
  rest(): string {
    const from = this.ahead?.at ?? this.#sql.length;
    this.#at = this.#words.length;
    return this.#sql.slice(from);
  }

  end(): void {
    this.skips(';');
    if (!this.isAtEnd) throw new Unreadable();
  }

  /** Of a table, a column, a channel. */
  name(): string {
    const { is, value } = this.take();
    if (is !== 'word' && is !== 'name') throw new Unreadable();
    return value;
  }

  text(): string {
    const { is, value } = this.take();
    if (is !== 'text') throw new Unreadable();
    return value;
  }

  list<T>(read: () => T): T[] {
    const all = [read()];
    while (this.skips(',')) all.push(read());
    return all;
  }

  inBrackets<T>(read: () => T): T[] {
    this.expect('(');
    const all = this.list(read);
    this.expect(')');
    return all;
  }
}

/** What `read` makes of all words of the statement; undefined when it cannot read them. */
export function reading<T>(sql: string, read: (words: Words) => T): T | undefined {
  try {
    const words = new Words(sql);
    const found = read(words);
    words.end();
    return found;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

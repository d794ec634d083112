/** The statement is another than those that are read here. */
export class Unreadable extends Error {}

const token = /\s*("[^"]*"|'(?:[^']|'')*'|\$\d+|-?\d+(?:\.\d+)?|\w+|::|>=|<=|<>|[()[\],.*=+<>])/y;

/** The words of a statement, read one after the other. */
export class Tokens {
  readonly #tokens: readonly string[];
  #at = 0;

  /** @throws Unreadable */
  constructor(sql: string) {
    const tokens: string[] = [];
    for (token.lastIndex = 0; token.lastIndex < sql.length; ) {
      const found = token.exec(sql)?.[1];
      if (found === undefined) throw new Unreadable();
      tokens.push(found);
    }
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  get peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  next(): string {
    const next = this.#tokens[this.#at];
    if (next === undefined) throw new Unreadable();
    this.#at += 1;
    return next;
  }

  skips(...words: readonly string[]): boolean {
    if (!words.every((word, at) => this.#tokens[this.#at + at]?.toLowerCase() === word)) return false;
    this.#at += words.length;
    return true;
  }

  expect(...words: readonly string[]): void {
    if (!this.skips(...words)) throw new Unreadable();
  }

  name(): string {
    const next = this.next();
    if (/^"\w+"$/.test(next)) return next.slice(1, -1);
    if (/^[a-z_]\w*$/i.test(next)) return next.toLowerCase();
    throw new Unreadable();
  }

  number(): number {
    const next = this.next();
    if (!/^\d+$/.test(next)) throw new Unreadable();
    return Number(next);
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

/** Returns what `read` makes of all words of the statement; undefined when it cannot read them. */
export function readingTokens<T>(sql: string, read: (tokens: Tokens) => T): T | undefined {
  try {
    const tokens = new Tokens(sql);
    const found = read(tokens);
    return tokens.isAtEnd ? found : undefined;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

import { SqlError } from './sql-error.ts';

const token = /\s*([[\]{},:]|"(?:[^"\\]|\\.)*"|[^\s[\]{},:"]+)/y;

/** JSON as a column of jsonb gives it back: keys in order and once, a space behind each colon and comma. */
export function canonicalJson(text: string): string {
  assertJson(text);
  const tokens: string[] = [];
  token.lastIndex = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) tokens.push(found[1] ?? '');
  return new Writer(tokens).value();
}

function assertJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new SqlError('22P02', 'invalid input syntax for type json');
  }
}

/** Writes what JSON.parse has accepted. */
class Writer {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  value(): string {
    const first = this.#next();
    if (first === '[') return `[${this.#until(']', () => this.value()).join(', ')}]`;
    if (first === '{') return this.#object();
    if (first.startsWith('"')) return string(first);
    return /^[-\d]/.test(first) ? number(first) : first;
  }

  #object(): string {
    const found = new Map<string, string>();
    this.#until('}', () => {
      const key = string(this.#next());
      this.#next();
      found.set(key, this.value());
    });
    const inOrder = [...found].toSorted(([one], [other]) => byLength(one, other));
    return `{${inOrder.map(([key, value]) => `${key}: ${value}`).join(', ')}}`;
  }

  #until<T>(end: string, read: () => T): T[] {
    const all: T[] = [];
    while (this.#tokens[this.#at] !== end) {
      if (this.#tokens[this.#at] === ',') this.#at += 1;
      all.push(read());
    }
    this.#at += 1;
    return all;
  }

  #next(): string {
    this.#at += 1;
    return this.#tokens[this.#at - 1] ?? '';
  }
}

function string(quoted: string): string {
  const text: string = JSON.parse(quoted);
  if (text.includes('\0')) throw new SqlError('22P05', 'unsupported Unicode escape sequence');
  return JSON.stringify(text);
}

function number(text: string): string {
  if (/[eE]/.test(text)) return String(Number(text));
  return /^-0(?:\.0*)?$/.test(text) ? text.slice(1) : text;
}

/** The shorter key first; of two that are equally long, that of the lesser bytes. */
function byLength(one: string, other: string): number {
  const [left, right] = [Buffer.from(JSON.parse(one)), Buffer.from(JSON.parse(other))];
  return left.length - right.length || Buffer.compare(left, right);
}

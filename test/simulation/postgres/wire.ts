/** A message of a client, as PostgreSQL reads it (manual, 54.7). */
export type FrontendMessage =
  | { readonly is: 'startup'; readonly parameters: ReadonlyMap<string, string> }
  | { readonly is: 'cancel'; readonly pid: number; readonly secret: number }
  | { readonly is: 'ssl' }
  | { readonly is: 'query'; readonly sql: string }
  | { readonly is: 'parse'; readonly name: string; readonly sql: string; readonly types: readonly number[] }
  | {
      readonly is: 'bind';
      readonly portal: string;
      readonly name: string;
      readonly values: readonly (string | null)[];
    }
  | { readonly is: 'describe'; readonly of: 'S' | 'P'; readonly name: string }
  | { readonly is: 'execute'; readonly portal: string; readonly most: number }
  | { readonly is: 'close'; readonly of: 'S' | 'P'; readonly name: string }
  | { readonly is: 'sync' }
  | { readonly is: 'flush' }
  | { readonly is: 'terminate' }
  | { readonly is: 'copy data'; readonly bytes: Buffer }
  | { readonly is: 'copy done' }
  | { readonly is: 'copy fail'; readonly reason: string };

const cancelCode = 80_877_102;
const sslCode = 80_877_103;

/** Takes bytes in pieces of any size, and gives whole messages. */
export class FrontendReader {
  #bytes: Buffer = Buffer.alloc(0);
  /** What comes before it has been read. */
  #at = 0;
  #hasStarted = false;

  push(bytes: Buffer): void {
    this.#bytes = this.#left === 0 ? bytes : Buffer.concat([this.#bytes.subarray(this.#at), bytes]);
    this.#at = 0;
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  next(): FrontendMessage | undefined {
    const before = this.#hasStarted ? 1 : 0;
    if (this.#left < before + 4) return undefined;
    const length = this.#bytes.readInt32BE(this.#at + before) + before;
    if (this.#left < length) return undefined;
    const start = this.#at;
    this.#at += length;
    return this.#hasStarted ? typed(this.#bytes, start, length) : this.#first(this.#bytes.subarray(start, this.#at));
  }

  #first(whole: Buffer): FrontendMessage {
    const code = whole.readInt32BE(4);
    if (code === sslCode) return { is: 'ssl' };
    if (code === cancelCode) return { is: 'cancel', pid: whole.readInt32BE(8), secret: whole.readInt32BE(12) };
    this.#hasStarted = true;
    const words = whole.subarray(8).toString().split('\0');
    const parameters = new Map<string, string>();
    for (let at = 0; (words[at] ?? '') !== ''; at += 2) parameters.set(words[at] ?? '', words[at + 1] ?? '');
    return { is: 'startup', parameters };
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  letter(): 'S' | 'P' {
    this.#at += 1;
    return this.#bytes[this.#at - 1] === 83 ? 'S' : 'P';
  }

  value(): string | null {
    const length = this.int32();
    if (length < 0) return null;
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.int16() }, read);
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at, this.#end);
  }
}

function typed(bytes: Buffer, start: number, length: number): FrontendMessage {
  const cursor = new Cursor(bytes, start + 5, start + length);
  const type = String.fromCharCode(bytes[start] ?? 0);
  switch (type) {
    case 'Q':
      return { is: 'query', sql: cursor.text() };
    case 'P': {
      const name = cursor.text();
      const sql = cursor.text();
      return { is: 'parse', name, sql, types: cursor.list(() => cursor.int32()) };
    }
    case 'B': {
      const portal = cursor.text();
      const name = cursor.text();
      cursor.list(() => cursor.int16());
      return { is: 'bind', portal, name, values: cursor.list(() => cursor.value()) };
    }
    case 'D':
      return { is: 'describe', of: cursor.letter(), name: cursor.text() };
    case 'E':
      return { is: 'execute', portal: cursor.text(), most: cursor.int32() };
    case 'C':
      return { is: 'close', of: cursor.letter(), name: cursor.text() };
    case 'S':
      return { is: 'sync' };
    case 'H':
      return { is: 'flush' };
    case 'X':
      return { is: 'terminate' };
    case 'd':
      return { is: 'copy data', bytes: cursor.rest() };
    case 'c':
      return { is: 'copy done' };
    case 'f':
      return { is: 'copy fail', reason: cursor.text() };
    default:
      throw new Error(`the simulation knows no message of type ${type}`);
  }
}

export interface Column {
  readonly name: string;
  /** The number of its type. */
  readonly type: number;
}

export const typeNumbers = {
  bool: 16,
  name: 19,
  oid: 26,
  bytea: 17,
  int8: 20,
  int4: 23,
  text: 25,
  float8: 701,
  pgLsn: 3220,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  interval: 1186,
  uuid: 2950,
  json: 114,
  jsonb: 3802,
  void: 2278,
  numeric: 1700,
  xid8: 5069,
} as const;

/** One message: its type, its length, and its parts one after the other; a text ends with a zero byte. */
class Writer {
  #bytes = Buffer.allocUnsafe(256);
  #at = 5;

  #make(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#at + count) * 2);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  byte(value: number): this {
    this.#make(1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
    return this;
  }

  int16(value: number): this {
    this.#make(2);
    this.#at = this.#bytes.writeInt16BE(value, this.#at);
    return this;
  }

  int32(value: number): this {
    this.#make(4);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
    return this;
  }

  text(value: string): this {
    this.#string(value);
    return this.byte(0);
  }

  /** With its length before it. */
  value(value: string | null): this {
    if (value === null) return this.int32(-1);
    this.int32(0);
    const start = this.#at;
    this.#string(value);
    this.#bytes.writeInt32BE(this.#at - start, start - 4);
    return this;
  }

  #string(value: string): void {
    // No character takes more than three bytes for each of its units.
    this.#make(value.length * 3);
    this.#at += this.#bytes.write(value, this.#at);
  }

  /** A copy of what was written; the next message begins. */
  end(type: string): Buffer {
    this.#bytes[0] = type.charCodeAt(0);
    this.#bytes.writeInt32BE(this.#at - 1, 1);
    const whole = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 5;
    return whole;
  }
}

const writer = new Writer();

function message(type: string, write: (to: Writer) => void = () => {}): Buffer {
  write(writer);
  return writer.end(type);
}

/** The message for a value, made once. */
function remembered<K, V>(known: { get(key: K): V | undefined; set(key: K, value: V): unknown }, make: (key: K) => V) {
  return (key: K): V => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(key);
    known.set(key, made);
    return made;
  };
}

/** What a server sends. */
export const backend = {
  authenticated: message('R', to => to.int32(0)),
  parameter: (name: string, value: string) => message('S', to => to.text(name).text(value)),
  key: (pid: number, secret: number) => message('K', to => to.int32(pid).int32(secret)),
  ready: remembered(new Map<'I' | 'T' | 'E', Buffer>(), status => message('Z', to => to.byte(status.charCodeAt(0)))),
  parsed: message('1'),
  bound: message('2'),
  closed: message('3'),
  noData: message('n'),
  empty: message('I'),
  suspended: message('s'),
  parameters: (types: readonly number[]) =>
    message('t', to => {
      to.int16(types.length);
      for (const type of types) to.int32(type);
    }),
  columns: remembered(new WeakMap<readonly Column[], Buffer>(), columns =>
    message('T', to => {
      to.int16(columns.length);
      for (const { name, type } of columns) to.text(name).int32(0).int16(0).int32(type).int16(-1).int32(-1).int16(0);
    }),
  ),
  row: (values: readonly (string | null)[]) =>
    message('D', to => {
      to.int16(values.length);
      for (const value of values) to.value(value);
    }),
  complete: remembered(new Map<string, Buffer>(), tag => message('C', to => to.text(tag))),
  copyIn: (columns: number) =>
    message('G', to => {
      to.byte(0).int16(columns);
      for (let at = 0; at < columns; at++) to.int16(0);
    }),
  problem: (type: 'E' | 'N', fields: Readonly<Record<string, string>>) =>
    message(type, to => {
      for (const [code, value] of Object.entries(fields)) to.byte(code.charCodeAt(0)).text(value);
      to.byte(0);
    }),
  notification: (pid: number, channel: string, payload: string) =>
    message('A', to => to.int32(pid).text(channel).text(payload)),
};

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
  | { readonly is: 'execute'; readonly portal: string }
  | { readonly is: 'close'; readonly of: 'S' | 'P'; readonly name: string }
  | { readonly is: 'sync' }
  | { readonly is: 'flush' }
  | { readonly is: 'terminate' }
  | { readonly is: 'copy data'; readonly text: string }
  | { readonly is: 'copy done' }
  | { readonly is: 'copy fail'; readonly reason: string };

const cancelCode = 80_877_102;
const sslCode = 80_877_103;

/** Takes bytes in pieces of any size, and gives whole messages. */
export class FrontendReader {
  #bytes: Buffer = Buffer.alloc(0);
  #hasStarted = false;

  push(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
  }

  next(): FrontendMessage | undefined {
    const before = this.#hasStarted ? 1 : 0;
    if (this.#bytes.length < before + 4) return undefined;
    const length = this.#bytes.readInt32BE(before) + before;
    if (this.#bytes.length < length) return undefined;
    const whole = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return this.#hasStarted ? typed(whole) : this.#first(whole);
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
  #at = 5;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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

  rest(): string {
    return this.#bytes.toString('utf8', this.#at);
  }
}

function typed(whole: Buffer): FrontendMessage {
  const cursor = new Cursor(whole);
  const type = String.fromCharCode(whole[0] ?? 0);
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
      return { is: 'execute', portal: cursor.text() };
    case 'C':
      return { is: 'close', of: cursor.letter(), name: cursor.text() };
    case 'S':
      return { is: 'sync' };
    case 'H':
      return { is: 'flush' };
    case 'X':
      return { is: 'terminate' };
    case 'd':
      return { is: 'copy data', text: cursor.rest() };
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
  int8: 20,
  int4: 23,
  text: 25,
  float8: 701,
  pgLsn: 3220,
  timestamptz: 1184,
  uuid: 2950,
  json: 114,
  void: 2278,
  numeric: 1700,
  xid8: 5069,
} as const;

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string) => Buffer.from(`${value}\0`);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** What a server sends. */
export const backend = {
  authenticated: message('R', int32(0)),
  parameter: (name: string, value: string) => message('S', text(name), text(value)),
  key: (pid: number, secret: number) => message('K', int32(pid), int32(secret)),
  ready: (status: 'I' | 'T' | 'E') => message('Z', Buffer.from(status)),
  parsed: message('1'),
  bound: message('2'),
  closed: message('3'),
  noData: message('n'),
  empty: message('I'),
  parameters: (types: readonly number[]) => message('t', int16(types.length), ...types.map(int32)),
  columns: (columns: readonly Column[]) =>
    message(
      'T',
      int16(columns.length),
      ...columns.map(({ name, type }) =>
        Buffer.concat([text(name), int32(0), int16(0), int32(type), int16(-1), int32(-1), int16(0)]),
      ),
    ),
  row: (values: readonly (string | null)[]) =>
    message(
      'D',
      int16(values.length),
      ...values.map(value => {
        if (value === null) return int32(-1);
        const bytes = Buffer.from(value);
        return Buffer.concat([int32(bytes.length), bytes]);
      }),
    ),
  complete: (tag: string) => message('C', text(tag)),
  copyIn: (columns: number) =>
    message('G', Buffer.from([0]), int16(columns), ...Array.from({ length: columns }, () => int16(0))),
  problem: (type: 'E' | 'N', fields: Readonly<Record<string, string>>) =>
    message(
      type,
      ...Object.entries(fields).map(([code, value]) => Buffer.concat([Buffer.from(code), text(value)])),
      Buffer.from([0]),
    ),
  notification: (pid: number, channel: string, payload: string) =>
    message('A', int32(pid), text(channel), text(payload)),
};

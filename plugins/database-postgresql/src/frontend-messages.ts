/**
 * Messages of one batch, written into one buffer, so that the batch is one write to the socket (PostgreSQL manual, 54.7:
 * message formats). Every value goes as text.
 */
export class FrontendMessages {
  #buffer = shared;
  #at = 0;
  #start = 0;

  /** Parse. A statement without a name lasts until the next. */
  parse(name: string, sql: string, types: readonly number[]): void {
    this.#begin(messages.parse);
    this.#text(name);
    this.#text(sql);
    this.#int16(types.length);
    for (const type of types) this.#int32(type);
    this.#end();
  }

  /** Bind, to the portal without a name. */
  bind(name: string, values: readonly (Buffer | string | null)[]): void {
    this.#begin(messages.bind);
    this.#text('');
    this.#text(name);
    const areText = values.every(value => !Buffer.isBuffer(value));
    this.#int16(areText ? 0 : values.length);
    if (!areText) for (const value of values) this.#int16(Buffer.isBuffer(value) ? 1 : 0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0);
    this.#end();
  }

  /** Describe, of the portal without a name. */
  describe(): void {
    this.#begin(messages.describe);
    this.#byte(messages.portal);
    this.#text('');
    this.#end();
  }

  /** Describe, of a statement: its parameters, then its rows. */
  describeStatement(name: string): void {
    this.#begin(messages.describe);
    this.#byte(messages.statement);
    this.#text(name);
    this.#end();
  }

  /** Execute, of the portal without a name: so many rows of it, or all. */
  execute(most = 0): void {
    this.#begin(messages.execute);
    this.#text('');
    this.#int32(most);
    this.#end();
  }

  /** Close, of a statement; of one that does not exist it is no error. */
  close(name: string): void {
    this.#begin(messages.close);
    this.#byte(messages.statement);
    this.#text(name);
    this.#end();
  }

  /** Close, of the portal without a name. */
  closePortal(): void {
    this.#begin(messages.close);
    this.#byte(messages.portal);
    this.#text('');
    this.#end();
  }

  /** Sync, and all that was written before it. */
  sync(): Buffer {
    this.#begin(messages.sync);
    this.#end();
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }

  #begin(type: number): void {
    this.#byte(type);
    this.#start = this.#at;
    this.#int32(0);
  }

  /** The length counts itself, not the type. */
  #end(): void {
    this.#buffer.writeInt32BE(this.#at - this.#start, this.#start);
  }

  #value(value: Buffer | string | null): void {
    if (value === null) {
      this.#int32(-1);
      return;
    }
    const at = this.#at;
    this.#int32(0);
    if (typeof value === 'string') {
      this.#reserve(value.length * longestCharacter);
      this.#at += this.#buffer.write(value, this.#at);
    } else {
      this.#reserve(value.length);
      this.#at += value.copy(this.#buffer, this.#at);
    }
    this.#buffer.writeInt32BE(this.#at - at - 4, at);
  }

  #text(text: string): void {
    this.#reserve(text.length * longestCharacter + 1);
    this.#at += this.#buffer.write(text, this.#at);
    this.#buffer[this.#at++] = 0;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
  }

  #int16(value: number): void {
    this.#reserve(2);
    this.#at = this.#buffer.writeUInt16BE(value & 0xffff, this.#at);
  }

  #int32(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Bytes of UTF-8 that one unit of a JavaScript string takes at most. */
const longestCharacter = 3;

/** Batches are written one after the other, each in one piece; a longer one takes a buffer of its own. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

const codeOf = (letter: string): number => letter.charCodeAt(0);
const messages = {
  parse: codeOf('P'),
  bind: codeOf('B'),
  describe: codeOf('D'),
  execute: codeOf('E'),
  close: codeOf('C'),
  sync: codeOf('S'),
  portal: codeOf('P'),
  statement: codeOf('S'),
};

/** One message of the PostgreSQL protocol, as found in a chunk of bytes. */
export interface Frame {
  /** The type byte as a letter; `startup`, `ssl` or `cancel` for the messages that have none; `tls?` for a bare answer. */
  readonly type: string;
  /** What follows the length; empty for messages that are not looked into. */
  readonly body: Buffer;
  /** Where it starts in the chunk; 0 also when it started in an earlier chunk. */
  readonly start: number;
  /** Where the next one starts. */
  readonly end: number;
}

const requests = new Map([
  [80_877_102, 'cancel'],
  [80_877_103, 'ssl'],
  [80_877_104, 'ssl'],
]);
const longestStartup = 10_000;
const nothing = Buffer.alloc(0);

/**
 * Cuts a stream into messages (PostgreSQL manual, "Message Formats"), wherever the chunks are cut. A stream that does
 * not speak the protocol, or goes on in TLS, is `opaque`: it has no messages.
 */
export class FrameReader {
  #state: 'untyped' | 'typed' | 'byte' | 'opaque';
  readonly #looksInto: string;
  readonly #head = Buffer.alloc(5);
  #headLength = 0;
  #missing = 0;
  #body: Buffer[] = [];

  /** `looksInto` lists the letters of the types whose body is wanted. */
  constructor(side: 'frontend' | 'backend', looksInto: string) {
    this.#state = side === 'frontend' ? 'untyped' : 'typed';
    this.#looksInto = looksInto;
  }

  get isOpaque(): boolean {
    return this.#state === 'opaque';
  }

  /** The next byte is the bare answer to an SSLRequest. */
  expectByte(): void {
    this.#state = 'byte';
  }

  makeOpaque(): void {
    this.#state = 'opaque';
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    for (let at = 0; at < chunk.length && !this.isOpaque; ) {
      const frame = this.#read(chunk, at);
      if (frame === undefined) break;
      frames.push(frame);
      at = frame.end;
    }
    return frames;
  }

  #read(chunk: Buffer, start: number): Frame | undefined {
    if (this.#state === 'byte') {
      this.#state = 'typed';
      return { type: 'tls?', body: chunk.subarray(start, start + 1), start, end: start + 1 };
    }
    const bodyStart = this.#readHead(chunk, start);
    if (bodyStart === undefined) return undefined;
    const end = Math.min(bodyStart + this.#missing, chunk.length);
    this.#missing -= end - bodyStart;
    if (this.#isLookedInto()) this.#body.push(chunk.subarray(bodyStart, end));
    return this.#missing > 0 ? undefined : this.#finish(start, end);
  }

  /** Where the body starts or goes on; undefined when the head is not whole yet, or is no head. */
  #readHead(chunk: Buffer, start: number): number | undefined {
    const headSize = this.#state === 'typed' ? 5 : 4;
    if (this.#headLength === headSize) return start;
    const copied = chunk.copy(this.#head, this.#headLength, start, start + headSize - this.#headLength);
    this.#headLength += copied;
    if (this.#headLength < headSize) return undefined;
    const length = this.#head.readInt32BE(headSize - 4);
    if (length < 4 || (this.#state === 'untyped' && (length < 8 || length > longestStartup))) this.makeOpaque();
    this.#missing = length - 4;
    return this.isOpaque ? undefined : start + copied;
  }

  #isLookedInto(): boolean {
    return this.#state === 'untyped' || this.#looksInto.includes(String.fromCharCode(this.#head[0] ?? 0));
  }

  #finish(start: number, end: number): Frame | undefined {
    const body = this.#body.length === 0 ? nothing : Buffer.concat(this.#body);
    this.#body = [];
    this.#headLength = 0;
    if (this.#state === 'typed') return { type: String.fromCharCode(this.#head[0] ?? 0), body, start, end };
    const code = body.readInt32BE(0);
    const type = code >> 16 === 3 ? 'startup' : requests.get(code);
    if (type === 'startup') this.#state = 'typed';
    if (type === undefined) this.makeOpaque();
    return type === undefined ? undefined : { type, body, start, end };
  }
}

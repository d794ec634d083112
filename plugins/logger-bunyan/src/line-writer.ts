import type { Writable } from 'node:stream';

interface Waiter {
  readonly until: number;
  readonly resolve: () => void;
}

/** A stream without a listener for `error` ends the process when its reader goes away (EPIPE). */
const listenedTo = new WeakSet<Writable>();

/**
 * Writes lines to a stream that it does not own, and counts the lines in flight.
 *
 * A pipe takes 64 KB at once and hands on the rest when its reader does; `process.exit` drops that rest, so ask `flush`
 * first. Lines beyond `maxBufferedBytes` are dropped, and the next one that fits is preceded by `notice(dropped)`. A
 * stream that is broken swallows lines; nothing here throws.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #maxBufferedBytes: number;
  readonly #notice: (dropped: number) => string;
  #given = 0;
  #gone = 0;
  #bufferedBytes = 0;
  #dropped = 0;
  #waiters: Waiter[] = [];

  constructor(stream: Writable, maxBufferedBytes: number, notice: (dropped: number) => string) {
    this.#stream = stream;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#notice = notice;
    if (!listenedTo.has(stream)) {
      listenedTo.add(stream);
      stream.on('error', () => {});
    }
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#bufferedBytes + bytes > this.#maxBufferedBytes) {
      this.#dropped++;
      return;
    }
    if (this.#dropped > 0) this.#tellOfDropped();
    this.#send(line, bytes);
  }

  /** Resolves when the reader of the stream has taken all lines so far, or when the stream is broken. */
  flush(): Promise<void> {
    if (this.#dropped > 0) this.#tellOfDropped();
    if (this.#gone >= this.#given) return Promise.resolve();
    const until = this.#given;
    return new Promise(resolve => {
      this.#waiters.push({ until, resolve });
    });
  }

  #tellOfDropped(): void {
    const line = this.#notice(this.#dropped);
    this.#dropped = 0;
    this.#send(line, Buffer.byteLength(line) + 1);
  }

  #send(line: string, bytes: number): void {
    this.#given++;
    this.#bufferedBytes += bytes;
    let counted = false;
    const done = () => {
      if (counted) return;
      counted = true;
      this.#taken(bytes);
    };
    try {
      this.#stream.write(`${line}\n`, done);
    } catch {
      done(); // a file on a full disk throws out of write
    }
  }

  #taken(bytes: number): void {
    this.#gone++;
    this.#bufferedBytes -= bytes;
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter(waiter => waiter.until <= this.#gone);
    this.#waiters = this.#waiters.filter(waiter => waiter.until > this.#gone);
    for (const waiter of ready) waiter.resolve();
  }
}

import type { Writable } from 'node:stream';

interface Waiter {
  readonly until: number;
  readonly resolve: () => void;
}

/** How long a line may wait for others. */
const longestWaitMs = 4;
/** As many bytes do not wait. */
const mostWaitingBytes = 16_384;

/** Those with lines that wait. A process that ends writes them, whatever ends it but a signal. */
const withWaitingLines = new Set<LineWriter>();
let exiting = false;
let watchesExit = false;

function watchExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => {
    exiting = true;
    for (const writer of withWaitingLines) writer.writeWaiting();
  });
}

/** A stream without a listener for `error` ends the process when its reader goes away (EPIPE). */
const listenedTo = new WeakSet<Writable>();

/**
 * Writes lines to a stream that it does not own, and counts the lines in flight. `write` writes at once. `collect` lets a
 * line wait for others: until the next `write`, for a few milliseconds, up to 16 KiB, or until the process ends.
 *
 * A pipe takes 64 KB at once, and the rest only as its reader reads. `process.exit` drops that rest, so await `flush`
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
  #waiting = { text: '', lines: 0, bytes: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: Writable, maxBufferedBytes: number, notice: (dropped: number) => string) {
    this.#stream = stream;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#notice = notice;
    if (!listenedTo.has(stream)) {
      listenedTo.add(stream);
      stream.on('error', () => {});
    }
    watchExit();
  }

  /** Writes at once, after the lines that wait. */
  write(line: string): void {
    this.#add(line);
    this.writeWaiting();
  }

  /** Writes together with others. */
  collect(line: string): void {
    this.#add(line);
    if (exiting || this.#waiting.bytes >= mostWaitingBytes) this.writeWaiting();
    else if (this.#waiting.lines > 0) this.#timer ??= setTimeout(() => this.writeWaiting(), longestWaitMs);
  }

  /** Resolves when the reader of the stream has taken all lines so far, or when the stream is broken. */
  flush(): Promise<void> {
    if (this.#dropped > 0) this.#reportDropped();
    this.writeWaiting();
    if (this.#gone >= this.#given) return Promise.resolve();
    const until = this.#given;
    return new Promise(resolve => {
      this.#waiters.push({ until, resolve });
    });
  }

  writeWaiting(): void {
    const { text, lines, bytes } = this.#waiting;
    if (lines === 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    withWaitingLines.delete(this);
    this.#waiting = { text: '', lines: 0, bytes: 0 };
    let counted = false;
    const done = () => {
      if (counted) return;
      counted = true;
      this.#taken(lines, bytes);
    };
    try {
      this.#stream.write(text, done);
    } catch {
      done(); // a file on a full disk throws out of write
    }
  }

  /** Lines of several writers to one stream keep their order. */
  #writeOthers(): void {
    for (const other of withWaitingLines) {
      if (other !== this && other.#stream === this.#stream) other.writeWaiting();
    }
  }

  #add(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#bufferedBytes + bytes > this.#maxBufferedBytes) {
      this.#dropped++;
      return;
    }
    if (this.#dropped > 0) this.#reportDropped();
    this.#wait(line, bytes);
  }

  #reportDropped(): void {
    const line = this.#notice(this.#dropped);
    this.#dropped = 0;
    this.#wait(line, Buffer.byteLength(line) + 1);
  }

  #wait(line: string, bytes: number): void {
    this.#writeOthers();
    this.#given++;
    this.#bufferedBytes += bytes;
    this.#waiting.text += `${line}\n`;
    this.#waiting.lines++;
    this.#waiting.bytes += bytes;
    withWaitingLines.add(this);
  }

  #taken(lines: number, bytes: number): void {
    this.#gone += lines;
    this.#bufferedBytes -= bytes;
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter(waiter => waiter.until <= this.#gone);
    this.#waiters = this.#waiters.filter(waiter => waiter.until > this.#gone);
    for (const waiter of ready) waiter.resolve();
  }
}

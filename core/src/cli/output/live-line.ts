export interface LiveLineStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Time between two lines, in ms: what an eye can follow, and what a log can hold. */
const betweenMs = { terminal: 100, log: 5_000 };

/** Some terminals do not say how wide they are, or say 0. */
const unknownColumns = 80;

const startOfLine = '\r\u001b[K';

/** One line that changes: replaced on a terminal, printed from time to time elsewhere. */
export class LiveLine {
  readonly #stream: LiveLineStream;
  readonly #now: () => number;
  #shownAt = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(stream: LiveLineStream, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
  }

  /** Drops a text that comes too soon after the one before. */
  show(text: string): void {
    const { isTTY = false, columns } = this.#stream;
    const now = this.#now();
    if (now - this.#shownAt < (isTTY ? betweenMs.terminal : betweenMs.log)) return;
    this.#shownAt = now;
    this.#isShown = isTTY;
    // A line that reaches the last column would wrap, and could not be replaced.
    this.#stream.write(isTTY ? startOfLine + text.slice(0, (columns || unknownColumns) - 1) : `${text}\n`);
  }

  /** Before other text is written. */
  clear(): void {
    if (this.#isShown) this.#stream.write(startOfLine);
    this.#isShown = false;
  }
}

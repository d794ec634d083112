import type { Clock, Timer } from '../contract/clock.js';

export interface RepeatOptions {
  /** The most lines of one kind that are written in a period. */
  readonly lines: number;
  readonly periodMs: number;
}

interface Kind<Line> {
  since: number;
  written: number;
  counted: number;
  last: Line | undefined;
}

/** A failure of a further kind ends the period of the oldest one. */
const mostKinds = 500;

/** Those with counted failures that no line has reported. A process that ends reports them, whatever ends it but a signal. */
const withCounts = new Set<{ report(): void }>();
let watchesExit = false;

function watchExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => {
    for (const each of withCounts) each.report();
  });
}

/**
 * Keeps a failure that repeats from filling the log. In each period the first lines of a kind are written as they come.
 * Further ones are counted; at the end of the period the last of them is written, with their number. While the failure goes
 * on, the periods after that have that one line alone. After a period without the failure, the next
 * failure of the kind is written at once again.
 */
export class RepeatedFailures<Line> {
  readonly #options: RepeatOptions;
  readonly #clock: Clock;
  readonly #write: (last: Line, repeated: number, repeatedForMs: number) => void;
  /** In the order of their periods. */
  readonly #kinds = new Map<string, Kind<Line>>();
  #timer: Timer | undefined;

  /** `write` gets the last of the counted failures of one kind, how many there were, and the length of their period. */
  constructor(
    options: RepeatOptions,
    clock: Clock,
    write: (last: Line, repeated: number, repeatedForMs: number) => void,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#write = write;
  }

  /** True when the line is to be written now; otherwise it is counted. */
  admits(kind: string, line: Line): boolean {
    const known = this.#kinds.get(kind);
    if (known === undefined) {
      this.#begin(kind);
      return true;
    }
    if (known.written < this.#options.lines) {
      known.written++;
      return true;
    }
    known.counted++;
    known.last = line;
    if (!withCounts.has(this)) {
      withCounts.add(this);
      watchExit();
    }
    return false;
  }

  /** Writes what was counted so far. */
  report(): void {
    withCounts.delete(this);
    for (const kind of this.#kinds.values()) this.#reportKind(kind);
  }

  #begin(kind: string): void {
    if (this.#kinds.size >= mostKinds) this.#endOldest();
    this.#kinds.set(kind, { since: this.#clock.now(), written: 1, counted: 0, last: undefined });
    this.#schedule();
  }

  #endOldest(): void {
    for (const [name, kind] of this.#kinds) {
      this.#kinds.delete(name);
      this.#reportKind(kind);
      return;
    }
  }

  #reportKind(kind: Kind<Line>): void {
    const { counted, last, since } = kind;
    kind.counted = 0;
    kind.last = undefined;
    if (counted > 0 && last !== undefined) this.#write(last, counted, Math.round(this.#clock.now() - since));
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    for (const { since } of this.#kinds.values()) {
      const dueInMs = since + this.#options.periodMs - this.#clock.now();
      this.#timer = this.#clock.schedule(Math.max(1, dueInMs), () => this.#endPeriods());
      return;
    }
  }

  #endPeriods(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [name, kind] of [...this.#kinds]) {
      if (now - kind.since < this.#options.periodMs) break;
      this.#kinds.delete(name);
      if (kind.counted === 0) continue;
      this.#reportKind(kind);
      this.#kinds.set(name, { since: now, written: this.#options.lines, counted: 0, last: undefined });
    }
    if ([...this.#kinds.values()].every(({ counted }) => counted === 0)) withCounts.delete(this);
    this.#schedule();
  }
}

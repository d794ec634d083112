import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** Something that happens at a moment. */
export interface Happening {
  at: number;
  order: number;
  readonly run: () => void;
  /** The process that it happens in; undefined for the network and the servers. */
  readonly owner: string | undefined;
  /** What it is, for the list of what is left at the end. */
  readonly what: string;
  isOver: boolean;
}

/** The process that the running code belongs to. */
const owners = new AsyncLocalStorage<string>();

export function currentOwner(): string | undefined {
  return owners.getStore();
}

const outside = new AsyncResource('world');
/** One for each process. */
const contexts = new Map<string, AsyncResource>();

export function runAs<T>(owner: string, work: () => T): T {
  let context = contexts.get(owner);
  if (context === undefined) {
    context = outside.runInAsyncScope(() => owners.run(owner, () => new AsyncResource('process')));
    contexts.set(owner, context);
  }
  return context.runInAsyncScope(work);
}

const nextTurn = setImmediate;
/** So many happenings share a turn of the event loop: Node runs all promises and ticks after each of them nevertheless. */
const happeningsInTurn = 32;

/** More often than this, no code reads the clock between two happenings, unless it is in a loop that waits for nothing. */
const mostReads = 20_000;

/** Code in a loop that waits for nothing. */
export class EndlessLoopError extends Error {
  constructor() {
    super('a loop reads the clock, and waits for nothing');
  }
}

/**
 * Time that stands still while anything runs, and then jumps to whatever comes next. What is due at one moment happens in the
 * order in which it was asked for; between two happenings all promises and ticks that can run do run.
 */
export class VirtualTime {
  now = 0;
  readonly #heap: Happening[] = [];
  #order = 0;
  readonly #frozenUntil = new Map<string, number>();
  readonly #dead = new Set<string>();
  readonly #onThrown: (error: unknown) => void;
  happened = 0;
  #reads = 0;

  constructor(onThrown: (error: unknown) => void) {
    this.#onThrown = onThrown;
  }

  /**
   * The time, for the code under test.
   *
   * @throws EndlessLoopError in a loop that reads the clock and waits for nothing: time would stand still in it for ever.
   */
  read(): number {
    this.#reads += 1;
    if (this.#reads > mostReads) {
      const error = new EndlessLoopError();
      if (this.#reads === mostReads + 1) this.#onThrown(error);
      throw error;
    }
    return this.now;
  }

  /** Calls `run` once after `ms`, in the process of `owner`. Without an `owner` it happens in the world, and not in a process. */
  after(ms: number, what: string, run: () => void, owner?: string): Happening {
    return this.#plan(ms, what, owner === undefined ? run : () => runAs(owner, run), owner);
  }

  /** The same, in the process and the context of the caller. */
  afterInContext(ms: number, what: string, run: () => void): Happening {
    const context = new AsyncResource('happening');
    return this.#plan(ms, what, () => context.runInAsyncScope(run), currentOwner());
  }

  #plan(ms: number, what: string, run: () => void, owner: string | undefined): Happening {
    const delayMs = Number.isFinite(ms) ? Math.max(0, ms) : 0;
    const happening: Happening = {
      at: this.now + delayMs,
      order: this.#order++,
      run,
      owner,
      what,
      isOver: false,
    };
    this.#push(happening);
    return happening;
  }

  cancel(happening: Happening): void {
    happening.isOver = true;
  }

  sleep(ms: number, what: string): Promise<void> {
    return new Promise(resolve => this.after(ms, what, resolve));
  }

  /** Nothing happens in the process for so long, and then all that was due. */
  freeze(owner: string, ms: number): void {
    this.#frozenUntil.set(owner, Math.max(this.#frozenUntil.get(owner) ?? 0, this.now + ms));
  }

  /** Nothing happens in the process any more. */
  kill(owner: string): void {
    this.#dead.add(owner);
  }

  isDead(owner: string): boolean {
    return this.#dead.has(owner);
  }

  /** What is still to happen. */
  get left(): readonly Happening[] {
    return this.#heap.filter(({ isOver, owner }) => !isOver && !(owner !== undefined && this.#dead.has(owner)));
  }

  /** Lets things happen until `isDone`, or until there is nothing left to happen. */
  run(isDone: () => boolean): Promise<void> {
    return new Promise(resolve => {
      let hasEnded = false;
      const step = () => {
        if (hasEnded) return;
        const next = isDone() ? undefined : this.#next();
        if (next === undefined) {
          hasEnded = true;
          resolve();
          return;
        }
        this.happened += 1;
        this.#reads = 0;
        this.now = Math.max(this.now, next.at);
        next.isOver = true;
        try {
          next.run();
        } catch (error) {
          this.#onThrown(error);
        }
      };
      const turn = () => {
        if (hasEnded) return;
        for (let count = 1; count < happeningsInTurn; count++) nextTurn(step);
        nextTurn(turn);
        step();
      };
      nextTurn(turn);
    });
  }

  #next(): Happening | undefined {
    for (;;) {
      const next = this.#pop();
      if (next === undefined) return undefined;
      if (next.isOver) continue;
      if (next.owner === undefined) return next;
      if (this.#dead.has(next.owner)) continue;
      const until = this.#frozenUntil.get(next.owner) ?? 0;
      if (next.at >= until) return next;
      next.at = until;
      next.order = this.#order++;
      this.#push(next);
    }
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(happening, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = happening;
  }

  #pop(): Happening | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = heap[at * 2 + 1];
      const right = heap[at * 2 + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = at * 2 + (isRight ? 2 : 1);
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

import { hashOf, Random } from './random.ts';
import { EndlessLoopError, VirtualTime } from './virtual-time.ts';

export interface StoryLine {
  readonly atMs: number;
  readonly text: string;
}

/** A property that did not hold. */
export interface Violation {
  readonly property: string;
  readonly text: string;
  readonly atMs: number;
}

/** When virtual time begins, by the wall clock. */
export const beginning = Date.UTC(2026, 0, 1);

/** One run: its time, its chance, its story, and what went wrong in it. */
export class World {
  readonly random: Random;
  readonly time: VirtualTime;
  readonly violations: Violation[] = [];
  readonly story: StoryLine[] = [];
  /** For what of the code under test asks for chance without an argument. */
  readonly ambient: Random;
  /** How long a turn of the event loop takes. With 0, code that waits in turns for something later waits for ever. */
  readonly turnMs: number;
  readonly #keepsStory: boolean;
  #hash = 0;
  readonly #reached = new Map<string, number>();

  constructor(seed: string, { keepsStory, turnMs = 0 }: { readonly keepsStory: boolean; readonly turnMs?: number }) {
    this.random = new Random(seed);
    this.ambient = this.random.fork('ambient');
    this.turnMs = turnMs;
    this.#keepsStory = keepsStory;
    this.time = new VirtualTime(error => this.violate(propertyOf(error), describe(error)));
  }

  get now(): number {
    return this.time.now;
  }

  get epochMs(): number {
    return beginning + this.time.now;
  }

  /** One line of the story. Every line counts for the hash of the run. */
  note(text: string): void {
    this.#hash = hashOf(`${this.#hash} ${this.time.now} ${text}`);
    if (this.#keepsStory) this.story.push({ atMs: this.time.now, text });
  }

  violate(property: string, text: string): void {
    this.violations.push({ property, text, atMs: this.time.now });
    // Without the stack, which a run has only while its story is kept.
    this.note(`!! ${property}: ${text.split('\n    at ')[0]}`);
  }

  /** Counts a state or a transition that was reached. */
  reach(what: string): void {
    this.#reached.set(what, (this.#reached.get(what) ?? 0) + 1);
  }

  get reached(): ReadonlyMap<string, number> {
    return this.#reached;
  }

  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }
}

function propertyOf(error: unknown): string {
  return error instanceof EndlessLoopError ? 'no loop runs without waiting' : 'no uncaught error';
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.stack ?? error.message;
}

import type { Isolation } from '../postgres/store.ts';
import type { Workload } from '../scenario/scenario.ts';

/** What was read of one list. */
export interface ReadList {
  readonly key: string;
  readonly items: string;
}

export type Answer =
  | { readonly is: 'stored'; readonly reads: readonly ReadList[] }
  /** Nothing of it is stored. */
  | { readonly is: 'refused'; readonly error: unknown }
  | { readonly is: 'unknown'; readonly error: unknown };

/** One request to one instance, and what its client was answered. */
export interface Request {
  readonly unit: string;
  readonly workload: Workload;
  readonly client: number;
  readonly instance: string;
  readonly isolation: Isolation | undefined;
  readonly askedAtMs: number;
  readonly deadlineAtMs: number;
  /** When its client hung up. */
  hungUpAtMs: number | undefined;
  answeredAtMs: number | undefined;
  answer: Answer | undefined;
  /** How often the work ran. */
  runs: number;
  /** The lists that it appends to. */
  readonly lists: readonly string[];
  /** It must not be stored, whatever it is answered. */
  readonly mustFail: boolean;
  readonly writes: boolean;
  /** It sends its number to those who listen. */
  readonly sends: boolean;
}

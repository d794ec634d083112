import type { Size } from './scenario/make-scenario.ts';
import type { Scenario } from './scenario/scenario.ts';
import type { StoryLine, Violation } from './world/world.ts';

/** What a line begins with that names the seed that is run next. */
export const begins = '# ';

/** What a process that simulates is to do. */
export interface Order {
  readonly from: number;
  readonly step: number;
  readonly count: number;
  /** These instead of those from `from` on. */
  readonly seeds?: readonly number[];
  /** It ends after so long; the seed that runs then is not counted. */
  readonly seconds?: number;
  readonly stopsAtFirst: boolean;
  /** A failing seed is shrunk, and its story printed. */
  readonly shrinks: boolean;
  /** The story of each seed is printed. */
  readonly keepsStory: boolean;
  /** Each seed is run twice, and both runs must be the same. */
  readonly twice: boolean;
  readonly mutation?: string;
  readonly size?: Size;
}

/** What came of one seed. */
export interface Finding {
  readonly seed: string;
  readonly hash: string;
  readonly violations: readonly Violation[];
  readonly requests: number;
  readonly simulatedMs: number;
  readonly happened: number;
  /** Of the processor. */
  readonly tookMs: number;
  readonly reached: readonly (readonly [what: string, times: number])[];
  readonly story?: readonly StoryLine[];
  /** The smallest that fails, for a seed that does. */
  readonly scenario?: Scenario;
}

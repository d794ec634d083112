/** How long and how hard: `short` in `npm test`, `long` for the table in docs/topologies.md. */
export type Form = 'short' | 'long';

/** What came of a scenario. Whatever must not happen makes it throw instead. */
export interface Found {
  /** HTTP requests, sessions or migrations, as `what` says. */
  readonly requests: number;
  /** Of these, how many were refused: the client knows, and nothing of them is stored. */
  readonly failed: number;
  /** Acknowledged and not stored. */
  readonly lost: number;
  /** Stored more than once. */
  readonly doubled: number;
  /** Facts in a few words: how long, how often. */
  readonly notes?: string;
}

/** One scenario on real servers: a row of the table. */
export interface Scenario {
  /** What stands between the service and its data: `PgBouncer, transaction mode`. */
  readonly topology: string;
  /** What is done to it. */
  readonly what: string;
  /** Programs of the machine without which it is skipped. Default: none. */
  readonly needs?: readonly string[];
  /** It has no short form: too long for `npm test`. Default false. */
  readonly isLong?: boolean;
  readonly run: (form: Form) => Promise<Found>;
}

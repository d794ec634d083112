/** Observes each statement, without its values. */
export interface StatementObserver {
  statement(event: StatementEvent): void;
  /** Returns a counter for the statements of one session, once it has run two. Default: statements are not counted. */
  countRepeats?(session: string): RepeatCounter;
}

export interface StatementEvent {
  /** `INSERT`; empty for one that failed. */
  readonly command: string;
  readonly rowCount: number | undefined;
  readonly durationMs: number;
  readonly failed: boolean;
  /** As it was sent: its text may hold values, so no person sees it. Undefined for what belongs to the transaction. */
  readonly sql: string | undefined;
  /** The name of the session. */
  readonly session: string;
}

/** Counts the statements of one session. */
export interface RepeatCounter {
  add(sql: string): void;
}

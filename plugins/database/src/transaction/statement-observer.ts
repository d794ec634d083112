/** Hears of each statement; never its text or its values. */
export interface StatementObserver {
  statement(event: StatementEvent): void;
}

export interface StatementEvent {
  /** `INSERT`; empty for one that failed. */
  readonly command: string;
  readonly rowCount: number | undefined;
  readonly durationMs: number;
  readonly failed: boolean;
}

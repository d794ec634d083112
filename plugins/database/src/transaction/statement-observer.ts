/** Observes each statement, without its text and its values. */
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

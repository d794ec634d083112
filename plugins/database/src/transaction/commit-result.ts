/** What came of COMMIT. */
export type CommitResult =
  | { readonly is: 'committed' }
  /** The server answered: it rolled back. */
  | { readonly is: 'rolled back'; readonly error: unknown }
  /** COMMIT was sent and not answered, or not by the deadline. Without a transaction id, nothing had been written. */
  | {
      readonly is: 'unanswered';
      readonly error: unknown;
      readonly transactionId: string | undefined;
      readonly late: boolean;
    };

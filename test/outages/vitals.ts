/** What the service says of itself at `/vitals`, at any time. */
export interface Vitals {
  readonly pid: number;
  /** After a garbage collection, where one was asked for. */
  readonly heapMb: number;
  readonly pool: {
    readonly total: number;
    readonly idle: number;
    readonly busy: number;
    readonly waiting: number;
  };
  /** Of the target `database`. */
  readonly breaker: string;
  readonly waitingCalls: number;
  /** Counted since the start of the process, as the retry policy does. */
  readonly calls: number;
  readonly attempts: number;
  readonly retries: number;
  /** Attempts that ended in a serialization failure or a deadlock. */
  readonly conflicts: number;
  /** Retries that may be made now. */
  readonly budgetLeft: number;
}

/** How far a caller is in its window. */
export interface Count {
  /** Requests that it has left; below 0 when this one was too many. */
  readonly left: number;
  /** Until the window ends. */
  readonly leftMs: number;
}

/** Counts the requests of callers, each under a key of fixed length. */
export interface Counter {
  count(key: string): Count | Promise<Count>;
}

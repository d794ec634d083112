/** A part of a start: reading the configuration, or a step of one plugin. */
export interface StartPart {
  readonly step: 'configuration' | 'import' | 'register' | 'start' | 'ready';
  /** Its key. */
  readonly plugin?: string;
}

/** Calls `work` once and returns its result, so that a tool can follow a start. */
export type Around = <T>(part: StartPart, work: () => Promise<T>) => Promise<T>;

/** Calls `work` through `around` when there is one. */
export function callAround<T>(around: Around | undefined, part: StartPart, work: () => Promise<T>): Promise<T> {
  return around === undefined ? work() : around(part, work);
}

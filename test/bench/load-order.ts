import type { Scenario } from './requests.ts';

/** Ends after so many seconds, or so many requests; what is on its way then is awaited. */
export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly scenario: Scenario;
  readonly seconds?: number;
  readonly requests?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How often each status of 400 and above was the answer, and how often the service closed the connection instead. */
  readonly failures: Readonly<Record<string, number>>;
}

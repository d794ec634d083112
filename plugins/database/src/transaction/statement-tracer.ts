import type { OpenSpan } from '@keelson/core';
import type { BatchOutcome } from '../driver/driver.js';

/** Makes a span of each message to the server. Left out by silent telemetry. */
export interface StatementTracer {
  /** Undefined when it is not to be recorded. */
  beginStatement(sql: string): OpenSpan | undefined;
  endStatement(span: OpenSpan | undefined, outcome: BatchOutcome, rowCount?: number): void;
}

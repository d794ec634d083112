import { type Clock, errorKindOf, type Logger } from '@keelson/core';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';

const periodMs = 60_000;

/** Counts what could not be sent, and logs one line in a minute about it. */
export class ExportWatch {
  readonly #clock: Clock;
  readonly #message: string;
  #logger: Logger | undefined;
  #failures = 0;
  #unreported = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  /** `message` is that of the line: `metrics could not be sent`. */
  constructor(clock: Clock, message: string) {
    this.#clock = clock;
    this.#message = message;
  }

  /** Batches that could not be sent so far. */
  get failures(): number {
    return this.#failures;
  }

  logTo(logger: Logger): void {
    this.#logger = logger;
  }

  /** Returns a callback for one export of `items`: it counts a failed export, and passes the result to `report`. */
  watched(signal: string, items: number, report: (result: ExportResult) => void): (result: ExportResult) => void {
    return result => {
      if (result.code !== ExportResultCode.SUCCESS) this.#failed(signal, items, result.error);
      report(result);
    };
  }

  #failed(signal: string, items: number, error: unknown): void {
    this.#failures += 1;
    this.#unreported += items;
    const now = this.#clock.now();
    if (this.#logger === undefined || now - this.#reportedAt < periodMs) return;
    this.#logger.warn(this.#message, { signal, lost: this.#unreported, ...reasonOf(error) });
    this.#reportedAt = now;
    this.#unreported = 0;
  }
}

/** The body of an answer may quote what was sent. */
function reasonOf(error: unknown): { kind: string; status?: number } {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'number' ? { kind: 'status', status: code } : { kind: errorKindOf(error) };
}

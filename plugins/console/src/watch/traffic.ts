import type { Clock } from '@keelson/core';
import { durationBoundsMs, type Requests } from '../model.js';
import type { RequestOptions } from '../options.js';
import { KeptTrace } from './kept-trace.js';
import { Ring } from './ring.js';

/** A request as it ended. */
export interface EndedRequest {
  /** Undefined when the client had left, or the answer was cut. */
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly failed: boolean;
}

/** Counts all requests, and keeps some of them with their spans: at most so many in a second, and so many in all. */
export class Traffic {
  readonly #clock: Clock;
  readonly #options: RequestOptions;
  readonly #onEnd: (ended: EndedRequest) => void;
  readonly #latest: Ring<KeptTrace>;
  /** Those that failed or were tried again: an outage must not push them out with requests that are well. */
  readonly #notable: Ring<KeptTrace>;
  #answers = 0;
  #failed = 0;
  #repeated = 0;
  readonly #durations: number[] = Array.from({ length: durationBoundsMs.length + 1 }, () => 0);
  #lastId = 0;
  #second = 0;
  #inSecond = 0;

  constructor(clock: Clock, options: RequestOptions, onEnd: (ended: EndedRequest) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#latest = new Ring(options.kept);
    this.#notable = new Ring(options.kept);
  }

  get lastRequest(): number {
    return this.#lastId;
  }

  counters() {
    return {
      answers: this.#answers,
      failed: this.#failed,
      repeated: this.#repeated,
      durations: [...this.#durations],
    };
  }

  /** Undefined when enough were kept in this second. */
  admit(traceId: string | undefined): KeptTrace | undefined {
    const now = this.#clock.now();
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    if (this.#inSecond >= this.#options.perSecond) return undefined;
    this.#inSecond += 1;
    const mostSpans = this.#options.spans;
    return new KeptTrace({ at: this.#clock.date().getTime(), startedAt: now, traceId, mostSpans });
  }

  /** A session is tried again. */
  repeats(): void {
    this.#repeated += 1;
  }

  ended(request: EndedRequest, durationMs: number, trace: KeptTrace | undefined): void {
    this.#answers += 1;
    if (request.failed) this.#failed += 1;
    const bucket = bucketOf(durationMs);
    this.#durations[bucket] = (this.#durations[bucket] ?? 0) + 1;
    if (trace !== undefined) this.#keep(trace);
    this.#onEnd(request);
  }

  /** Those that were kept after the one with that id. */
  requestsAfter(id: number): Requests {
    const all = new Set([...this.#notable.values(), ...this.#latest.values()]);
    const kept = [...all].sort((a, b) => a.id - b.id);
    return { requests: kept.filter(each => each.id > id).map(each => each.toJson()), kept: kept.map(each => each.id) };
  }

  #keep(trace: KeptTrace): void {
    this.#lastId += 1;
    trace.id = this.#lastId;
    this.#latest.push(trace);
    if (trace.failed || trace.repeated > 0) this.#notable.push(trace);
  }
}

function bucketOf(durationMs: number): number {
  let at = 0;
  while (durationMs > (durationBoundsMs[at] ?? Infinity)) at += 1;
  return at;
}

import type { IncomingMessage } from 'node:http';
import { type Clock, Deadline, KeelsonError } from '@keelson/core';
import type { DeadlineOptions } from './options.js';

const unitsMs: Readonly<Record<string, number>> = {
  '': 1_000,
  s: 1_000,
  ms: 1,
  // Those of grpc-timeout (gRPC over HTTP/2, "Requests").
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

const form = /^(\d{1,8}(?:\.\d{1,6})?)(s|ms|[HMSmun])?$/;

/** Reads how long clients want to wait for their answers. */
export class RequestDeadlines {
  readonly #header: string;
  readonly #longestMs: number;
  readonly #clock: Clock;

  constructor({ header, longestMs }: DeadlineOptions, clock: Clock) {
    this.#header = header;
    this.#longestMs = longestMs;
    this.#clock = clock;
  }

  /** Undefined for a request that says nothing; an error for one that says something else than a time. */
  of({ headers }: IncomingMessage): Deadline | KeelsonError | undefined {
    const text = headers[this.#header.toLowerCase()];
    if (text === undefined) return undefined;
    const [, number, unit = ''] = form.exec(String(text).trim()) ?? [];
    if (number === undefined) return deadlineMalformed(this.#header);
    const ms = Number(number) * (unitsMs[unit] ?? 0);
    return Deadline.after(Math.min(ms, this.#longestMs), this.#clock);
  }
}

function deadlineMalformed(header: string): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_DEADLINE_MALFORMED',
    message: `A request has a ${header} that is not a time.`,
    http: {
      status: 400,
      title: 'Bad Request',
      detail: `${header} must be a time in seconds such as 5 or 0.5, or with a unit such as 500ms.`,
    },
  });
}

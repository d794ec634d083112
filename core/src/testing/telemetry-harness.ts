import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import type { Attributes, OpenSpan, SpanKind, Telemetry } from '../contract/slots/telemetry.js';

export interface ReportedSpan {
  readonly name: string;
  readonly operation: string;
  readonly status: 'ok' | 'error' | undefined;
  /** At least those that were set. */
  readonly attributes: Attributes;
  readonly traceId: string;
  readonly spanId: string;
  /** The name of the span it is inside of. */
  readonly parent: string | undefined;
  /** The id of the span that it is inside of, also of one of another process. */
  readonly parentId: string | undefined;
  readonly kind: SpanKind;
  /** In which way it failed: its `error.type`. */
  readonly errorKind: string | undefined;
}

/** Telemetry of its own for one case, and the means to read its reports. */
export interface TelemetryHarness {
  readonly telemetry: Telemetry;
  /** The finished spans that reached their destination, in any order; left out when none do. */
  spans?(): readonly ReportedSpan[] | Promise<readonly ReportedSpan[]>;
  /** The text of each error that reached its destination, with all its details; left out when no error does. */
  errors?(): readonly string[] | Promise<readonly string[]>;
  close?(): void | Promise<void>;
}

export const longMs = 10_000;

type Check<Given extends unknown[]> = (name: string, check: (...given: Given) => Promise<void>) => ConformanceCase;

/** Makes cases: each kind passes what its check reads, and is not applicable where the harness cannot read it. */
export interface TelemetryCases {
  readonly plain: Check<[telemetry: Telemetry]>;
  readonly spanning: Check<[telemetry: Telemetry, read: () => Promise<readonly ReportedSpan[]>]>;
  readonly reporting: Check<[telemetry: Telemetry, read: () => Promise<readonly string[]>]>;
  /** Reads both. */
  readonly masking: Check<[harness: TelemetryHarness]>;
}

export function telemetryCases(createHarness: () => TelemetryHarness | Promise<TelemetryHarness>): TelemetryCases {
  const always = casesOf(createHarness);
  const plain = (name: string, check: (telemetry: Telemetry) => Promise<void>) =>
    always(name, ({ telemetry }) => check(telemetry));
  const readable = <T>(
    kind: 'spans' | 'errors',
    readOf: (harness: TelemetryHarness) => readonly T[] | Promise<readonly T[]>,
  ) => {
    const needs = `a way to read the exported ${kind}: pass ${kind} to telemetryConformance in a test`;
    const applicable = casesOf(createHarness, needs, harness => harness[kind] !== undefined);
    return (name: string, check: (telemetry: Telemetry, read: () => Promise<readonly T[]>) => Promise<void>) =>
      applicable(name, harness =>
        check(harness.telemetry, async () => {
          await harness.telemetry.flush(longMs);
          return readOf(harness);
        }),
      );
  };
  const masking = casesOf(
    createHarness,
    'a way to read the exported spans and errors: pass spans and errors to telemetryConformance in a test',
    harness => harness.spans !== undefined && harness.errors !== undefined,
  );
  const spanning = readable('spans', harness => harness.spans?.() ?? []);
  const reporting = readable('errors', harness => harness.errors?.() ?? []);
  return { plain, spanning, reporting, masking };
}

/** Runs `work` in `span`, and ends it. */
export async function inside(span: OpenSpan, work: () => Promise<void>): Promise<void> {
  await span.run(work);
  span.end();
}

/** Lets other work go on. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

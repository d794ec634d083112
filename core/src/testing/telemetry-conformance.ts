import type { ConformanceCase } from '../contract/conformance.js';
import { errorCases } from './telemetry-error-cases.js';
import { type TelemetryHarness, telemetryCases } from './telemetry-harness.js';
import { spanCases } from './telemetry-span-cases.js';
import { workCases } from './telemetry-work-cases.js';

export type { ReportedSpan, TelemetryHarness } from './telemetry-harness.js';

/** What every telemetry must do, ours or another's. */
export function telemetryConformance(
  createHarness: () => TelemetryHarness | Promise<TelemetryHarness>,
): ConformanceCase[] {
  const cases = telemetryCases(createHarness);
  return [...workCases(cases), ...spanCases(cases), ...errorCases(cases)];
}

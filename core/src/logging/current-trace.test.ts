import { expect, test } from 'vitest';
import { runWithContext } from '../contract/context.js';
import { silentTelemetry } from '../contract/slots/telemetry.js';
import { RecordingTelemetry } from '../testing/recording-telemetry.js';
import { CurrentTrace } from './current-trace.js';

test('a line inside a span has its trace, with the ids of the request', async () => {
  const trace = new CurrentTrace();
  const telemetry = new RecordingTelemetry();
  trace.follow(telemetry);
  expect(trace.ids()).toEqual({});
  await telemetry.span({ name: 'job', operation: 'job' }, async () => {
    const traceId = telemetry.currentTraceId();
    expect(traceId).toBeDefined();
    expect(trace.ids()).toEqual({ traceId });
    expect(runWithContext({ requestId: 'r-1', traceId: 'outer' }, trace.ids)).toEqual({ requestId: 'r-1', traceId });
  });
});

test('without telemetry, and before it has started, the ids are those of the context', () => {
  const trace = new CurrentTrace();
  expect(runWithContext({ requestId: 'r-1' }, trace.ids)).toEqual({ requestId: 'r-1' });
  trace.follow(silentTelemetry);
  expect(runWithContext({ requestId: 'r-1', traceId: 't-1' }, trace.ids)).toEqual({ requestId: 'r-1', traceId: 't-1' });
});

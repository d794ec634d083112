import { expect, test } from 'vitest';
import { currentContext, runWithContext } from '../contract/context.js';
import { silentTelemetry } from '../contract/slots/telemetry.js';
import { RecordingTelemetry } from '../testing/recording-telemetry.js';
import { CurrentTrace } from './current-trace.js';

test('a line inside a span has its trace and its span, with the ids of the request', async () => {
  const trace = new CurrentTrace();
  const telemetry = new RecordingTelemetry();
  trace.follow(telemetry);
  expect(trace.ids()).toEqual({});
  await telemetry.span({ name: 'job', operation: 'job' }, async () => {
    const [{ traceId, spanId } = {}] = telemetry.spans();
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.ids()).toEqual({ traceId, spanId });
    const request = { requestId: 'r-1', traceId: 'outer' };
    expect(runWithContext(request, trace.ids)).toEqual({ requestId: 'r-1', traceId, spanId });
    await telemetry.span({ name: 'step', operation: 'step' }, async () => {
      expect(trace.ids()).toEqual({ traceId, spanId: telemetry.spans('step')[0]?.spanId });
    });
  });
});

test('a line in a trace that is not recorded has its trace, and no span: nobody could find it', async () => {
  const trace = new CurrentTrace();
  const telemetry = new RecordingTelemetry();
  trace.follow(telemetry);
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const continues = { traceparent: `00-${traceId}-b7ad6b7169203331-00` };
  await telemetry.span({ name: 'job', operation: 'job', continues }, async () => {
    expect(trace.ids()).toEqual({ traceId });
  });
});

test('the ids are those of the context itself without telemetry: no object is made for a line', () => {
  const trace = new CurrentTrace();
  trace.follow(silentTelemetry);
  runWithContext({ requestId: 'r-1' }, () => expect(trace.ids()).toBe(currentContext()));
});

test('without telemetry, and before it has started, the ids are those of the context', () => {
  const trace = new CurrentTrace();
  expect(runWithContext({ requestId: 'r-1' }, trace.ids)).toEqual({ requestId: 'r-1' });
  trace.follow(silentTelemetry);
  expect(runWithContext({ requestId: 'r-1', traceId: 't-1' }, trace.ids)).toEqual({ requestId: 'r-1', traceId: 't-1' });
});

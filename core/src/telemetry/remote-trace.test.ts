import { describe, expect, test } from 'vitest';
import { remoteTraceIn, traceparentOf } from './remote-trace.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

describe('the trace of a sender', () => {
  test.each([
    ['sampled', `00-${traceId}-${spanId}-01`, true],
    ['not sampled', `00-${traceId}-${spanId}-00`, false],
    ['with flags of the future', `00-${traceId}-${spanId}-03`, true],
    ['of a version of the future', `cc-${traceId}-${spanId}-01-what-comes-then`, true],
    ['with spaces around it', ` 00-${traceId}-${spanId}-01\t`, true],
  ])('is read: %s', (_what, traceparent, isSampled) => {
    expect(remoteTraceIn({ traceparent })).toEqual({ traceId, spanId, isSampled, state: undefined });
  });

  test.each([
    ['none', undefined],
    ['no header of this kind', 'hush'],
    ['the version that is forbidden', `ff-${traceId}-${spanId}-01`],
    ['more than version 00 has', `00-${traceId}-${spanId}-01-more`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['two headers, as Node joins them', `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`],
  ])('is not read: %s', (_what, traceparent) => {
    expect(remoteTraceIn({ traceparent })).toBeUndefined();
  });

  test.each([
    ['vendor=1', 'vendor=1'],
    [['vendor=1', 'other=2'], 'vendor=1,other=2'],
    ['v'.repeat(513), undefined],
    ['vendor=\u0007', undefined],
    ['', undefined],
  ])('comes with the state %j', (tracestate, state) => {
    expect(remoteTraceIn({ traceparent: `00-${traceId}-${spanId}-01`, tracestate })?.state).toBe(state);
  });

  test('is written as it is read', () => {
    expect(traceparentOf({ traceId, spanId, isSampled: true })).toBe(`00-${traceId}-${spanId}-01`);
    expect(traceparentOf({ traceId, spanId, isSampled: false })).toBe(`00-${traceId}-${spanId}-00`);
  });
});

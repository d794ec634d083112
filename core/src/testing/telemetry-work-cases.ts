import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import type { ConformanceCase } from '../contract/conformance.js';
import { longMs, type TelemetryCases } from './telemetry-harness.js';

/** What every telemetry does for the code that calls it, also when it sends nothing. */
export function workCases({ plain }: TelemetryCases): ConformanceCase[] {
  return [
    plain('passes the result of the work through', async telemetry => {
      const result = { a: 1 };
      equal(await telemetry.span({ name: 'test.work', operation: 'test' }, async () => result), result);
      equal(
        telemetry.suppress(() => result),
        result,
      );
    }),
    plain('passes the error of the work through, also one thrown before the first await', async telemetry => {
      const error = new Error('of the work');
      const same = (thrown: unknown) => thrown === error;
      await rejects(
        telemetry.span({ name: 'test.work', operation: 'test' }, () => Promise.reject(error)),
        same,
      );
      const early = () => {
        throw error;
      };
      await rejects(async () => telemetry.span({ name: 'test.work', operation: 'test' }, early), same);
    }),
    plain('does not throw, whatever is captured', async telemetry => {
      const fail = () => {
        throw new Error('hostile');
      };
      const loop = new Error('loop');
      loop.cause = loop;
      const captured = [undefined, null, 'text', 1n, Symbol('s'), {}, Object.freeze(new Error('frozen')), loop];
      for (const error of [...captured, new Proxy(new Error('hostile'), { get: fail })]) {
        telemetry.captureError(error, { operation: 'test', facts: { id: 1n, error } });
      }
      const facts = Object.defineProperty({}, 'broken', { enumerable: true, get: fail });
      telemetry.captureError(new Error('with broken facts'), { facts });
    }),
    plain('flushes successfully when there is nothing to flush', async telemetry => {
      equal(await telemetry.flush(longMs), true);
    }),
    plain('accepts a status and attributes for a span that has ended', async telemetry => {
      const span = await telemetry.span({ name: 'test.work', operation: 'test' }, async given => given);
      span.setAttribute('late', true);
      span.setStatus('ok');
    }),
    plain('returns no outgoing headers outside a span or in suppressed work', async telemetry => {
      deepEqual(telemetry.outgoingHeaders(), {});
      equal(telemetry.currentTraceId(), undefined);
      equal(telemetry.currentSpanId(), undefined);
      await telemetry.span({ name: 'test.work', operation: 'test' }, async () => {
        deepEqual(
          telemetry.suppress(() => telemetry.outgoingHeaders()),
          {},
        );
      });
    }),
    plain(
      'runs the work of an open span, whose error passes through, and ends it twice without harm',
      async telemetry => {
        const span = telemetry.startSpan({ name: 'test.work', operation: 'test', kind: 'server', continues: {} });
        const error = new Error('of the work');
        equal(
          span.run(() => 7),
          7,
        );
        throws(
          () =>
            span.run(() => {
              throw error;
            }),
          (thrown: unknown) => thrown === error,
        );
        span.addEvent('test.event', { 'test.number': 1 });
        span.end();
        span.end();
        span.setName('too late');
        span.addEvent('too late');
        equal(span.isRecording, false);
      },
    ),
    plain('takes breadcrumbs and attached facts, whatever is in them', async telemetry => {
      const facts = { id: 1n, loop: undefined as unknown };
      facts.loop = facts;
      telemetry.breadcrumb({ category: 'test', message: 'one', facts });
      telemetry.breadcrumb({ category: 'test', message: 'two', level: 'error', processWide: true });
      const attached = [
        telemetry.attachFacts('test', () => facts),
        telemetry.attachFacts('broken', () => {
          throw new Error('no');
        }),
      ];
      telemetry.captureError(new Error('with all of them'));
      for (const each of attached) each[Symbol.dispose]();
    }),
  ];
}

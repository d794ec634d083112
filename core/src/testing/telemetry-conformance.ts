import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import { runWithContext } from '../contract/context.js';
import { KeelsonError } from '../contract/keelson-error.js';
import type { Attributes, Telemetry } from '../contract/slots/telemetry.js';

export interface ReportedSpan {
  readonly name: string;
  readonly operation: string;
  readonly status: 'ok' | 'error' | undefined;
  /** At least those that were set. */
  readonly attributes: Attributes;
  readonly traceId: string;
  /** The name of the span it is inside of. */
  readonly parent: string | undefined;
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

const longMs = 10_000;

/** What every telemetry must do, ours or another's. */
export function telemetryConformance(
  createHarness: () => TelemetryHarness | Promise<TelemetryHarness>,
): ConformanceCase[] {
  const always = casesOf(createHarness);
  const plain = (name: string, check: (telemetry: Telemetry) => Promise<void>) =>
    always(name, ({ telemetry }) => check(telemetry));
  const readable = <T>(
    kind: 'spans' | 'errors',
    readOf: (harness: TelemetryHarness) => readonly T[] | Promise<readonly T[]>,
  ) => {
    const needs = `${kind} that can be read where they arrive: a test of its own can give them to telemetryConformance`;
    const applicable = casesOf(createHarness, needs, harness => harness[kind] !== undefined);
    return (name: string, check: (telemetry: Telemetry, read: () => Promise<readonly T[]>) => Promise<void>) =>
      applicable(name, harness =>
        check(harness.telemetry, async () => {
          await harness.telemetry.flush(longMs);
          return readOf(harness);
        }),
      );
  };
  const spanning = readable('spans', harness => harness.spans?.() ?? []);
  const reporting = readable('errors', harness => harness.errors?.() ?? []);

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
    spanning('reports name, operation and attributes, also those set while the span runs', async (telemetry, read) => {
      const options = { name: 'test.work', operation: 'test', attributes: { 'test.text': 'a', 'test.number': 1 } };
      await telemetry.span(options, async span => span.setAttribute('test.flag', true));
      const [span, ...others] = await read();
      equal(others.length, 0, 'one span');
      equal(span?.name, 'test.work');
      equal(span?.operation, 'test');
      for (const [name, value] of Object.entries({ ...options.attributes, 'test.flag': true }))
        deepEqual(span?.attributes[name], value, name);
    }),
    spanning('sets the status by the outcome of the work, unless the work sets one', async (telemetry, read) => {
      const failing = () => Promise.reject(new Error('of the work'));
      const span = (name: string) => ({ name, operation: 'test' });
      await telemetry.span(span('test.resolves'), async () => {});
      await telemetry.span(span('test.rejects'), failing).catch(() => {});
      await telemetry.span(span('test.says-error'), async given => given.setStatus('error'));
      const saysOk = telemetry.span(span('test.says-ok'), given => {
        given.setStatus('ok');
        return failing();
      });
      await saysOk.catch(() => {});
      const statuses = Object.fromEntries((await read()).map(({ name, status }) => [name, status]));
      deepEqual(statuses, {
        'test.resolves': 'ok',
        'test.rejects': 'error',
        'test.says-error': 'error',
        'test.says-ok': 'ok',
      });
    }),
    spanning('nests spans, and keeps concurrent work apart', async (telemetry, read) => {
      const traceIds = await Promise.all(
        ['a', 'b', 'c'].map(name =>
          telemetry.span({ name: `test.outer-${name}`, operation: 'test' }, async () => {
            await telemetry.span({ name: `test.inner-${name}`, operation: 'test' }, () => turn());
            await turn();
            return telemetry.currentTraceId();
          }),
        ),
      );
      const spans = await read();
      equal(spans.length, 6);
      for (const [index, name] of ['a', 'b', 'c'].entries()) {
        const inner = spans.find(span => span.name === `test.inner-${name}`);
        equal(inner?.parent, `test.outer-${name}`);
        equal(inner?.traceId, traceIds[index]);
      }
      equal(new Set(traceIds).size, 3, 'work that nothing has begun is a trace of its own');
    }),
    spanning('has a W3C trace id inside of a span', async telemetry => {
      await telemetry.span({ name: 'test.work', operation: 'test' }, async () => {
        match(telemetry.currentTraceId() ?? '', /^(?!0{32})[0-9a-f]{32}$/);
      });
    }),
    spanning('reports no span of suppressed work', async (telemetry, read) => {
      await telemetry.suppress(() =>
        telemetry.span({ name: 'test.ping', operation: 'test' }, async () => {
          await turn();
          await telemetry.span({ name: 'test.ping-inner', operation: 'test' }, async () => {});
        }),
      );
      await telemetry.span({ name: 'test.work', operation: 'test' }, async () => {});
      deepEqual(
        (await read()).map(span => span.name),
        ['test.work'],
      );
    }),
    reporting('reports an error with its operation, facts, code, hint, causes and request', async (telemetry, read) => {
      const cause = new Error('message-of-cause');
      const error = new KeelsonError({ code: 'TEST_CODE', message: 'the-message', hint: 'the-hint', cause });
      runWithContext({ requestId: 'request-1' }, () =>
        telemetry.captureError(error, { operation: 'test.operation', facts: { attempts: 'fact-attempts' } }),
      );
      const [report] = await read();
      const told = [
        'TEST_CODE',
        'the-message',
        'the-hint',
        'message-of-cause',
        'test.operation',
        'fact-attempts',
        'request-1',
      ];
      for (const text of told) ok(report?.includes(text), `the report says ${text}`);
    }),
    reporting('reports an error object once, however often it is captured', async (telemetry, read) => {
      const error = Object.freeze(new Error('captured twice'));
      telemetry.captureError(error);
      await telemetry.span({ name: 'test.work', operation: 'test' }, async () => telemetry.captureError(error));
      telemetry.captureError(new Error('another'));
      equal((await read()).length, 2);
    }),
    reporting('reports whatever was thrown', async (telemetry, read) => {
      telemetry.captureError('thrown-text');
      const [report] = await read();
      notEqual(report, undefined);
      ok(report?.includes('thrown-text'));
    }),
    reporting('reports errors of suppressed work', async (telemetry, read) => {
      telemetry.suppress(() => telemetry.captureError(new Error('while suppressed')));
      equal((await read()).length, 1);
    }),
    reporting('reports no secret and no statement', async (telemetry, read) => {
      const cause = Object.assign(new Error('connect postgres://orders:hush-url@db/orders'), { query: 'hush-query' });
      const facts = { password: 'hush-fact', headers: [{ authorization: 'Bearer hush-header' }] };
      const error = new KeelsonError({ code: 'TEST_CODE', message: 'failed', facts, cause });
      telemetry.captureError(error, { facts: { nested: { apiKey: 'hush-key' } } });
      const refused = Object.assign(new Error('invalid input syntax for type uuid: "hush-value"'), { code: '22P02' });
      telemetry.captureError(new Error('refused', { cause: refused }));
      const reports = await read();
      equal(reports.length, 2);
      for (const report of reports) ok(!report.includes('hush'), 'the report holds no secret');
    }),
  ];
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

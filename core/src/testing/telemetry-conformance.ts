import { deepEqual, equal, match, notEqual, ok, rejects, throws } from 'node:assert/strict';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import { runWithContext } from '../contract/context.js';
import { KeelsonError } from '../contract/keelson-error.js';
import { noteFacts } from '../contract/noted-facts.js';
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

const longMs = 10_000;
const remote = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const traceparent = `00-${remote.traceId}-${remote.spanId}-01`;

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
  const masking = casesOf(
    createHarness,
    'spans and errors that can be read where they arrive',
    harness => harness.spans !== undefined && harness.errors !== undefined,
  );
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
    plain('sends nothing along outside of a span and in suppressed work', async telemetry => {
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
    spanning(
      'keeps an open span until it is ended, with the name and the kind that it has then',
      async (telemetry, read) => {
        const span = telemetry.startSpan({ name: 'test.before', operation: 'test', kind: 'server' });
        const inner = span.run(() => telemetry.startSpan({ name: 'test.inner', operation: 'test', kind: 'client' }));
        await turn();
        inner.end();
        span.setName('test.after');
        span.setStatus('error', 'TEST_KIND');
        span.end();
        const spans = await read();
        const outer = spans.find(({ name }) => name === 'test.after');
        const { kind, status, errorKind, traceId, spanId } = outer ?? {};
        deepEqual({ kind, status, errorKind }, { kind: 'server', status: 'error', errorKind: 'TEST_KIND' });
        deepEqual({ traceId, spanId }, { traceId: span.traceId, spanId: span.spanId });
        const found = spans.find(({ name }) => name === 'test.inner');
        deepEqual(
          { kind: found?.kind, parent: found?.parent, parentId: found?.parentId, traceId: found?.traceId },
          { kind: 'client', parent: 'test.after', parentId: spanId, traceId },
        );
      },
    ),
    spanning('puts a span into the one that it is given, wherever it starts', async (telemetry, read) => {
      const parent = telemetry.startSpan({ name: 'test.parent', operation: 'test' });
      await telemetry.span({ name: 'test.elsewhere', operation: 'test' }, async () => {
        telemetry.startSpan({ name: 'test.child', operation: 'test', parent }).end();
      });
      parent.end();
      const child = (await read()).find(({ name }) => name === 'test.child');
      deepEqual([child?.parent, child?.traceId], ['test.parent', parent.traceId]);
    }),
    spanning('keeps open spans of requests apart that run at the same time', async (telemetry, read) => {
      const request = async (name: string) => {
        const span = telemetry.startSpan({ name: `test.${name}`, operation: 'test', kind: 'server', continues: {} });
        await span.run(async () => {
          await turn();
          equal(telemetry.currentTraceId(), span.traceId);
          await telemetry.span({ name: `test.${name}-work`, operation: 'test' }, () => turn());
        });
        span.end();
      };
      await Promise.all(['a', 'b', 'c'].map(request));
      const spans = await read();
      equal(new Set(spans.map(({ traceId }) => traceId)).size, 3);
      for (const name of ['a', 'b', 'c']) {
        equal(spans.find(span => span.name === `test.${name}-work`)?.parent, `test.${name}`);
      }
    }),
    spanning('continues the trace of a sender', async (telemetry, read) => {
      const given = { name: 'test.answer', operation: 'test', kind: 'server', continues: { traceparent } } as const;
      await inside(telemetry.startSpan(given), async () => equal(telemetry.currentTraceId(), remote.traceId));
      const [span] = await read();
      deepEqual(
        { traceId: span?.traceId, parentId: span?.parentId },
        { traceId: remote.traceId, parentId: remote.spanId },
      );
    }),
    spanning('records nothing of a trace that its sender does not record', async (telemetry, read) => {
      const continues = { traceparent: traceparent.replace(/01$/, '00') };
      const span = telemetry.startSpan({ name: 'test.answer', operation: 'test', kind: 'server', continues });
      equal(span.isRecording, false);
      await inside(span, async () => {
        equal(telemetry.currentTraceId(), remote.traceId);
        match(telemetry.outgoingHeaders().traceparent ?? '', new RegExp(`^00-${remote.traceId}-[0-9a-f]{16}-00$`));
        await telemetry.span({ name: 'test.inner', operation: 'test' }, async () => {});
      });
      deepEqual(await read(), []);
    }),
    spanning('begins a trace for a sender without a valid one, whatever runs around it', async (telemetry, read) => {
      const headers = [{}, { traceparent: 'hush' }, { traceparent: `00-${'0'.repeat(32)}-${remote.spanId}-01` }];
      await telemetry.span({ name: 'test.around', operation: 'test' }, async () => {
        for (const continues of headers) {
          await inside(telemetry.startSpan({ name: 'test.answer', operation: 'test', continues }), async () => {});
        }
      });
      const spans = await read();
      equal(new Set(spans.map(({ traceId }) => traceId)).size, 4);
      for (const span of spans) equal(span.parentId, undefined);
    }),
    spanning('sends the current span along, and what it came with', async (telemetry, read) => {
      const continues = { traceparent, tracestate: 'vendor=1,other=2' };
      let sent: Readonly<Record<string, string>> = {};
      await inside(telemetry.startSpan({ name: 'test.answer', operation: 'test', continues }), async () => {
        await telemetry.span({ name: 'test.call', operation: 'test', kind: 'client' }, async () => {
          sent = telemetry.outgoingHeaders();
          equal(sent.traceparent, `00-${remote.traceId}-${telemetry.currentSpanId()}-01`);
        });
      });
      match(sent.tracestate ?? '', /vendor=1,other=2/);
      await inside(telemetry.startSpan({ name: 'test.callee', operation: 'test', continues: sent }), async () => {});
      const spans = await read();
      const callee = spans.find(({ name }) => name === 'test.callee');
      equal(callee?.traceId, remote.traceId);
      equal(callee?.parentId, spans.find(({ name }) => name === 'test.call')?.spanId);
    }),
    spanning('has the id of the current span', async (telemetry, read) => {
      let id: string | undefined;
      await telemetry.span({ name: 'test.work', operation: 'test' }, async () => {
        id = telemetry.currentSpanId();
      });
      match(id ?? '', /^(?!0{16})[0-9a-f]{16}$/);
      equal((await read())[0]?.spanId, id);
    }),
    spanning('says in which way work has failed', async (telemetry, read) => {
      const errors = [new KeelsonError({ code: 'TEST_CODE', message: 'no' }), new RangeError('hush'), 'hush'];
      for (const error of errors) {
        await telemetry.span({ name: 'test.work', operation: 'test' }, () => Promise.reject(error)).catch(() => {});
      }
      const spans = await read();
      deepEqual(spans.map(({ errorKind }) => errorKind).toSorted(), ['RangeError', 'TEST_CODE', '_OTHER']);
    }),
    spanning('leaves the status of an open span unset when its owner does', async (telemetry, read) => {
      telemetry.startSpan({ name: 'test.work', operation: 'test' }).end();
      const [span] = await read();
      notEqual(span?.status, 'error');
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
    reporting(
      'reports what was noted of an error, and an error whose facts cannot be read',
      async (telemetry, read) => {
        const error = new Error('noted');
        noteFacts(error, { attempts: 'noted-attempts', password: 'hush' });
        const broken = Object.defineProperty({}, 'broken', {
          enumerable: true,
          get: () => {
            throw new Error('no');
          },
        });
        telemetry.captureError(error, { facts: broken });
        const [report] = await read();
        ok(report?.includes('noted-attempts'), 'the report says what was noted');
        ok(!report?.includes('hush'), 'the report holds no secret');
      },
    ),
    reporting('reports errors of suppressed work', async (telemetry, read) => {
      telemetry.suppress(() => telemetry.captureError(new Error('while suppressed')));
      equal((await read()).length, 1);
    }),
    reporting('sends what happened before with an error', async (telemetry, read) => {
      telemetry.breadcrumb({ category: 'test.topic', message: 'of the process', processWide: true });
      await inside(telemetry.startSpan({ name: 'test.a', operation: 'test', continues: {} }), async () => {
        telemetry.breadcrumb({ category: 'test.topic', message: 'of request a', facts: { attempt: 'fact-of-a' } });
        await turn();
        telemetry.captureError(new Error('error of a'));
      });
      await inside(telemetry.startSpan({ name: 'test.b', operation: 'test', continues: {} }), async () => {
        telemetry.captureError(new Error('error of b'));
      });
      const reports = await read();
      const [a, b] = ['error of a', 'error of b'].map(text => reports.find(report => report.includes(text)) ?? '');
      for (const text of ['test.topic', 'of the process', 'of request a', 'fact-of-a']) ok(a?.includes(text), text);
      ok(b?.includes('of the process'), 'what concerns the process comes with every error');
      ok(!b?.includes('of request a'), 'what happened in a request stays with it');
    }),
    reporting('sends facts that are read when an error is reported', async (telemetry, read) => {
      let state = 'state-one';
      const attached = telemetry.attachFacts('part', () => ({ state }));
      telemetry.attachFacts('broken', () => {
        throw new Error('no');
      });
      telemetry.captureError(new Error('first'));
      state = 'state-two';
      telemetry.captureError(new Error('second'));
      attached[Symbol.dispose]();
      telemetry.captureError(new Error('third'));
      const reports = await read();
      const of = (text: string) => reports.find(report => report.includes(text)) ?? '';
      ok(of('first').includes('state-one'));
      ok(of('second').includes('state-two'));
      ok(!of('third').includes('state-'));
    }),
    reporting('reports an outage without a report for each request', async (telemetry, read) => {
      for (let request = 0; request < 1_000; request++) {
        telemetry.captureError(new KeelsonError({ code: 'TEST_DOWN', message: `down ${request}` }), {
          operation: 'test',
        });
      }
      telemetry.captureError(new Error('another'));
      const reports = await read();
      ok(reports.length <= 200, `${reports.length} reports`);
      ok(reports.some(report => report.includes('another')));
    }),
    masking('sends no secret and no statement with a span', async ({ telemetry, spans }) => {
      const attributes = {
        'db.query.text': "select 'hush'",
        'db.statement': "select 'hush'",
        'url.full': 'https://user:hush@shop.example/orders?email=hush',
        'url.query': 'email=hush',
        'http.request.header.cookie': 'hush',
        'api.token': 'hush',
        'test.text': 'connect postgres://orders:hush@db/orders',
        'db.query.summary': 'SELECT orders',
      };
      const name = 'GET /orders?token=hush';
      await telemetry.span({ name, operation: 'test', attributes }, async span => {
        span.setAttribute('test.password', 'hush');
        span.addEvent('test.event', { 'test.password': 'hush' });
      });
      await telemetry.flush(longMs);
      const [span] = (await spans?.()) ?? [];
      equal(span?.name, 'GET /orders');
      equal(span?.attributes['db.query.summary'], 'SELECT orders');
      ok(!JSON.stringify(span).includes('hush'), JSON.stringify(span));
    }),
    reporting('sends no secret with breadcrumbs and attached facts', async (telemetry, read) => {
      telemetry.breadcrumb({
        category: 'test',
        message: 'connect postgres://orders:hush@db/orders',
        facts: { password: 'hush', query: "select 'hush'" },
      });
      telemetry.attachFacts('part', () => ({ password: 'hush', url: 'https://user:hush@shop.example' }));
      telemetry.captureError(new Error('failed'));
      const [report] = await read();
      ok(report !== undefined && !report.includes('hush'), 'the report holds no secret');
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

/** Runs `work` in `span`, and ends it. */
async function inside(span: OpenSpan, work: () => Promise<void>): Promise<void> {
  await span.run(work);
  span.end();
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

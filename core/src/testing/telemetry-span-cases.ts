import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import type { ConformanceCase } from '../contract/conformance.js';
import { KeelsonError } from '../contract/keelson-error.js';
import { inside, type TelemetryCases, turn } from './telemetry-harness.js';

const remote = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const traceparent = `00-${remote.traceId}-${remote.spanId}-01`;

/** What the spans of every telemetry report, where they can be read. */
export function spanCases({ spanning }: TelemetryCases): ConformanceCase[] {
  return [
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
    spanning(
      'uses the given parent of a span, also when the span starts inside another span',
      async (telemetry, read) => {
        const parent = telemetry.startSpan({ name: 'test.parent', operation: 'test' });
        await telemetry.span({ name: 'test.elsewhere', operation: 'test' }, async () => {
          telemetry.startSpan({ name: 'test.child', operation: 'test', parent }).end();
        });
        parent.end();
        const child = (await read()).find(({ name }) => name === 'test.child');
        deepEqual([child?.parent, child?.traceId], ['test.parent', parent.traceId]);
      },
    ),
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
    spanning(
      'begins a new trace when the sender sends no valid trace, also inside another span',
      async (telemetry, read) => {
        const headers = [{}, { traceparent: 'hush' }, { traceparent: `00-${'0'.repeat(32)}-${remote.spanId}-01` }];
        await telemetry.span({ name: 'test.around', operation: 'test' }, async () => {
          for (const continues of headers) {
            await inside(telemetry.startSpan({ name: 'test.answer', operation: 'test', continues }), async () => {});
          }
        });
        const spans = await read();
        equal(new Set(spans.map(({ traceId }) => traceId)).size, 4);
        for (const span of spans) equal(span.parentId, undefined);
      },
    ),
    spanning('sends the current span and the received tracestate in outgoing headers', async (telemetry, read) => {
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
  ];
}

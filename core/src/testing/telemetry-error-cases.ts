import { equal, notEqual, ok } from 'node:assert/strict';
import type { ConformanceCase } from '../contract/conformance.js';
import { runWithContext } from '../contract/context.js';
import { KeelsonError } from '../contract/keelson-error.js';
import { noteFacts } from '../contract/noted-facts.js';
import { inside, longMs, type TelemetryCases, turn } from './telemetry-harness.js';

/** What every telemetry reports of errors, and that no report holds a secret, where they can be read. */
export function errorCases({ reporting, masking }: TelemetryCases): ConformanceCase[] {
  return [
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
      'reports the facts that were noted for an error, also when other facts of the error cannot be read',
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
    reporting('reports an error with the breadcrumbs that came before it', async (telemetry, read) => {
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

import { beforeAll, describe, expect, test } from 'vitest';
import { blockOf, blocks, namesIn, namesInText, writeBlocks } from './page.js';
import { observeOneRequest, type Story } from './story.js';

let story: Story;

beforeAll(async () => {
  story = await observeOneRequest();
  if (process.env.KEELSON_WRITE_PAGES === '1') writeBlocks(story.observed);
}, 120_000);

describe('one request through a restart of PostgreSQL', () => {
  test('is answered after the restart, and stored once', () => {
    expect(story.observed.request).toMatch(/\n201 after \d+ ms\n/);
  });

  test('has the same ids in its log lines, in its trace of either kind, in its metrics and in the console', () => {
    const { observed, requestId, traceId, sessionId } = story;
    const lines = observed.lines.split('\n').filter(line => line.includes(requestId));
    expect(lines.filter(line => !line.includes(`"traceId":"${traceId}"`))).toEqual([]);
    expect(
      lines.map(line => /"spanId":"(\w+)"/.exec(line)?.[1] ?? '').filter(id => !observed.trace.includes(id)),
    ).toEqual([]);
    expect(sessionId).toMatch(/^[0-9a-z]{4}-[0-9a-z]+$/);
    expect(story.everything).toMatch(new RegExp(`keelson\\.session\\.id.{0,60}${sessionId}"`));
    expect([observed.span, observed.envelope].filter(span => !span.includes(traceId))).toEqual([]);
    expect(observed.console).toContain(`"traceId": "${traceId}"`);
    for (const name of ['http_server_request_duration_seconds', 'db_client_operation_duration_seconds']) {
      expect(observed.metrics).toMatch(new RegExp(`^${name}_bucket\\{.*# \\{trace_id="${traceId}"\\}`, 'm'));
    }
  });

  test('the outage has one name in lines, spans, metrics, keelson status and the console', () => {
    const code = 'DATABASE_CONNECTION_LOST';
    const { lines, trace, span, envelope, metrics, status, console } = story.observed;
    expect([lines, trace, span, envelope, metrics, status, console].filter(text => !text.includes(code))).toEqual([]);
  });
});

describe('docs/observability.md', () => {
  test('shows the configuration that the instances have', () => {
    expect(blockOf('configuration')).toBe(story.observed.configuration);
  });

  test.each(blocks)('the names of the block %s are those of a run of today', block => {
    const names = [...namesIn(blockOf(block))];
    const seen = `${story.observed[block]}\n${story.everything}`;
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter(name => !seen.includes(name))).toEqual([]);
  });

  test('the names in its text are those of a run of today', () => {
    const elsewhere = /^(@keelson\/|npm |traceparent|X-Request-Id|x-request-id|keelson status$|keelson do |#$|ok$)/;
    const names = namesInText().filter(name => !elsewhere.test(name));
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter(name => !story.everything.includes(name))).toEqual([]);
  });

  test('the check finds names', () => {
    expect([
      ...namesIn(
        'a_total{b="c"} 1\n  state: open\n{"msg":"database lost","x.y":1}\n  db.attempt 1   0123456789abcdef  ok',
      ),
    ]).toEqual(['msg', 'x.y', 'state', 'a_total', 'b', 'database lost', 'db.attempt']);
  });
});

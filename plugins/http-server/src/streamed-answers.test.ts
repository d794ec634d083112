import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gate, Harness, problemFrom } from './harness.fixture.js';
import { sendRows } from './send-rows.js';
import { Router } from './server-under-test.fixture.js';
import { RecordedSessions, using } from './sessions.fixture.js';

let harness: Harness;
let sessions: RecordedSessions;

beforeEach(async () => {
  harness = await new Harness().ready();
  sessions = new RecordedSessions();
  harness.server.letIn(sessions);
});

afterEach(() => harness.stop());

const failure = new Error('not committed');

const inTwoParts = using((_request: IncomingMessage, response: ServerResponse) => {
  response.write('one ');
  setImmediate(() => response.end('two'));
});

describe('an answer that begins while rows are read in its session', () => {
  beforeEach(() => {
    sessions.reading = 'alone';
  });

  test('leaves as it is written, and ends when the session is committed', async () => {
    const commit = gate();
    sessions.commit = commit.pass;
    harness.http.router('/rows', inTwoParts);
    const answer = await fetch(`${harness.url}/rows`);
    const reader = answer.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toBe('one ');
    await commit.arrived;
    const last = reader?.read();
    commit.open();
    expect(new TextDecoder().decode((await last)?.value)).toBe('two');
    expect((await reader?.read())?.done).toBe(true);
    expect(sessions.events).toEqual(['open', 'commit', 'committed']);
  });

  test('is cut before its end when the commit fails, which is reported', async () => {
    sessions.commit = () => Promise.reject(failure);
    harness.http.router('/rows', inTwoParts);
    const answer = await fetch(`${harness.url}/rows`);
    await expect(answer.text()).rejects.toThrow();
    expect(harness.telemetry.errors()).toMatchObject([{ error: failure }]);
  });

  test.each([
    [
      'ended at once',
      using((_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200);
        response.end('whole');
      }),
    ],
    ['whole', using((_request: Request, response: Response) => response.json({}))],
  ])('and is %s is its problem when the commit fails: nothing has left', async (_name, handler) => {
    sessions.commit = () => Promise.reject(failure);
    harness.http.router('/rows', Router().get('/', handler));
    expect(await problemFrom(await fetch(`${harness.url}/rows`))).toMatchObject({ status: 500 });
  });

  test('takes its session back when the client goes away', async () => {
    harness.http.router(
      '/rows',
      using((_request: IncomingMessage, response: ServerResponse) => response.write('one ')),
    );
    const connection = await harness.connect();
    connection.send('GET /rows HTTP/1.1\r\nHost: test\r\n\r\n');
    await connection.until(({ received }) => received.includes('one '));
    connection.socket.destroy();
    await sessions.until('rolled back');
    expect(sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
  });
});

test('a handler that fails while the first byte of its answer is still held gets an answer, not an empty reply', async () => {
  const commit = gate();
  sessions.commit = commit.pass;
  const handler = async (_request: IncomingMessage, response: ServerResponse) => {
    response.write('[');
    throw new Error('at once');
  };
  harness.http.router('/rows', using(handler));
  const problem = await problemFrom(await fetch(`${harness.url}/rows`));
  expect([problem.status, problem.body.type]).toEqual([500, 'urn:keelson:problem:HTTP_UNEXPECTED']);
  commit.open();
});

test.each(['1.0', '1.1'])('a part of an answer does not look whole to a client of HTTP/%s', async version => {
  const half = gate();
  harness.http.router('/rows', async (_request, response) => {
    response.write('one ');
    await half.pass();
    throw failure;
  });
  const connection = await harness.connect();
  connection.send(`GET /rows HTTP/${version}\r\nHost: a\r\n\r\n`);
  await connection.until(({ received }) => received.includes('one '));
  half.open();
  const received = await connection.until(({ closed }) => closed);
  if (version === '1.0') expect(connection.failed).toMatchObject({ code: 'ECONNRESET' });
  else expect(received).not.toMatch(/\r\n0\r\n\r\n$/);
});

test('rows of a function need a database: HTTP_SESSION_MISSING', async () => {
  harness.http.router('/rows', (_request, response) => sendRows(response, () => [], { format: 'csv' }), {
    session: 'none',
  });
  expect(await problemFrom(await fetch(`${harness.url}/rows`))).toMatchObject({ status: 500 });
  expect(harness.telemetry.errors()).toMatchObject([{ error: { code: 'HTTP_SESSION_MISSING' } }]);
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { definePlugin, HttpServer, type Kernel, Logger } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import http, { currentSession, sendRows } from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { filling } from '@keelson/test-support/filling';
import { startKernel } from '@keelson/test-support/start-kernel';
import { Router } from 'express';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

const headersTimeoutMs = 1_500;
const requestTimeoutMs = 2_500;
const stalledTimeoutMs = 1_500;

let testDatabase: TestDatabase;
let kernel: Kernel;
const logger = new RecordingLogger();

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const numbers = definePlugin({
    name: 'numbers',
    requires: [HttpServer, DatabaseService],
    start: ({ container }) => {
      const routes = Router()
        .get('/one', async (request, response) => {
          response.json(await currentSession(request).execute('select 1 as one'));
        })
        .get('/large', async (request, response) => {
          const [row] = await currentSession(request).execute<{ text: string }[]>(
            `select repeat('x', 8000000) as text`,
          );
          response.type('text').send(row?.text);
        })
        .get('/rows', (_request, response) =>
          sendRows(
            response,
            em =>
              em
                .getConnection()
                .stream<object>(
                  'select repeat($$x$$, 1000) as text from generate_series(1, 100000)',
                  [],
                  em.getTransactionContext(),
                ),
            { format: 'ndjson' },
          ),
        )
        .post('/', (request, response) => void response.json(request.body));
      container.get(HttpServer).router('/numbers', routes);
    },
  });
  kernel = await startKernel({
    plugins: { http, retry, numbers, logger: filling('logger', Logger, logger), database: postgresql },
    values: {
      http: {
        overload: false,
        headersTimeoutMs,
        requestTimeoutMs,
        stalledTimeoutMs,
      },
      database: { url: testDatabase.url, pool: { max: 8 } },
    },
  });
});

afterAll(async () => {
  await kernel.stop();
  await testDatabase[Symbol.asyncDispose]();
});

const url = () => new URL(kernel.container.get(HttpServer).url ?? '');
const busy = () => kernel.container.get(DatabaseService).stats().busy;

/** A client that has sent `text`, and does not read its answer by itself. */
async function clientThatSent(text: string): Promise<Socket> {
  const socket = connect({ port: Number(url().port), host: '127.0.0.1', noDelay: true }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const clients = (count: number, text: string) => Promise.all(Array.from({ length: count }, () => clientThatSent(text)));

/** How long each of some requests takes, in ms, from the shortest to the longest. */
async function timesOf(count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const before = performance.now();
    const answer = await fetch(new URL('/numbers/one', url()));
    expect(await answer.json()).toEqual([{ one: 1 }]);
    times.push(performance.now() - before);
  }
  return times.toSorted((a, b) => a - b);
}

const inMs = (times: readonly number[]) =>
  [0.5, 0.95].map(part => `${(times[Math.floor(times.length * part)] ?? 0).toFixed(1)} ms`).join(' / ');

test('200 slow clients do not keep others from their answers, and are cut at their limits', async () => {
  await timesOf(30);
  const alone = await timesOf(60);

  const header = await clients(100, 'GET /numbers/one HTTP/1.1\r\nHost: a\r\nX: ');
  const bodies = await clients(
    87,
    'POST /numbers HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"a":"',
  );
  const readers = await clients(10, 'GET /numbers/large HTTP/1.1\r\nHost: a\r\n\r\n');
  const streams = await clients(3, 'GET /numbers/rows HTTP/1.1\r\nHost: a\r\n\r\n');
  const drip = setInterval(() => {
    for (const socket of [...header, ...bodies]) if (socket.writable) socket.write('x');
  }, 100);
  onTestFinished(() => clearInterval(drip));

  await eventually(() => expect(busy()).toBeLessThanOrEqual(streams.length), {
    timeoutMs: 15_000,
    that: 'the large answers to be written',
  });
  const beside = await timesOf(60);
  console.info(`a request, median / p95: alone ${inMs(alone)}, beside 200 slow clients ${inMs(beside)}`);

  await eventually(() => expect(busy()).toBe(0), {
    timeoutMs: 15_000,
    that: 'no connection to be held by a slow reader',
  });
  for (const socket of [...header, ...bodies]) socket.resume();
  const closed = (sockets: readonly Socket[]) =>
    sockets.filter(socket => socket.destroyed || socket.readableEnded).length;
  await eventually(() => expect(closed([...header, ...bodies])).toBe(187), {
    timeoutMs: 15_000,
    that: 'those that send slowly to be cut',
  });
  const cut = () => logger.lines().filter(({ facts }) => facts.cut === true && /large|rows/.test(String(facts.route)));
  await eventually(() => expect(cut()).toHaveLength(readers.length + streams.length), {
    timeoutMs: 20_000,
    that: 'those that do not read to be cut',
  });
  expect((await timesOf(10)).length).toBe(10);
}, 60_000);

test('a client that sends slowly gets a 408', async () => {
  const slow = await Promise.all(
    [
      'GET / HTTP/1.1\r\nHo',
      'POST /numbers HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{',
    ].map(async text => {
      const socket = await clientThatSent(text);
      let received = '';
      socket.setEncoding('utf8').on('data', chunk => {
        received += chunk;
      });
      await once(socket, 'close');
      return received;
    }),
  );
  expect(slow[0]).toMatch(/^HTTP\/1.1 408 [\s\S]*HTTP_REQUEST_TIMEOUT/);
  expect(slow[1]).toMatch(/^HTTP\/1.1 408 [\s\S]*HTTP_REQUEST_TIMEOUT/);
});

test('a large answer is whole for a client that reads slowly, and frees its connection before it is read', async () => {
  const socket = await clientThatSent('GET /numbers/large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await eventually(() => socket.readableLength > 0, { that: 'the answer to begin' });
  await eventually(() => expect(busy()).toBe(0));
  let bytes = 0;
  for await (const chunk of socket) {
    bytes += chunk.length;
    if (bytes < 5_000_000) await new Promise(resolve => setTimeout(resolve, 5));
  }
  expect(bytes).toBeGreaterThanOrEqual(8_000_000);
});

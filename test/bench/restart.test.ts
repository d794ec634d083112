import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@keelson/test-support/eventually';
import { guard, release } from '@keelson/test-support/guardian';
import { Ledger } from '@keelson/test-support/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OrderStream } from './order-stream.js';
import { restartResultOf } from './restart.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  guard(directory);
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  release(directory);
});

const nothing = {
  attempted: 0,
  acknowledged: 0,
  lost: [],
  duplicated: [],
  refusedButStored: [],
  unacknowledgedButStored: [],
  unknown: [],
};

const ending = (status: number | undefined, beganAtMs: number, endedAtMs: number) => ({ status, beganAtMs, endedAtMs });

describe('what became of the orders', () => {
  test('the first success is one that ends after the server is back', () => {
    const endings = [ending(201, 0, 5), ending(500, 5, 60), ending(undefined, 6, 61), ending(201, 50, 130)];
    expect(restartResultOf(endings, nothing, 100, false)).toMatchObject({
      sent: 4,
      acknowledged: 2,
      failed: 2,
      firstSuccessMs: 30,
      longestWaitMs: 80,
      hasEnded: false,
    });
  });

  test('a service that ended has no first success, and what it left is counted all the same', () => {
    const report = { ...nothing, lost: ['1'], duplicated: ['2', '3'], refusedButStored: ['4'] };
    const unconfirmed = { ...report, unacknowledgedButStored: ['5', '6'] };
    expect(restartResultOf([ending(201, 0, 5)], unconfirmed, 100, true)).toMatchObject({
      firstSuccessMs: undefined,
      lost: 1,
      doubled: 2,
      unconfirmed: 3,
      hasEnded: true,
    });
  });
});

describe('the stream of orders', () => {
  const stack = new DisposableStack();
  afterAll(() => stack.dispose());

  async function streamTo(listener: RequestListener, name: string, clientTimeoutMs = 10_000) {
    const server = createServer(listener);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const ledger = new Ledger(join(directory, name));
    const { port } = server.address() as AddressInfo;
    const stream = new OrderStream({ port, ledger, clients: 4, ordersPerSecond: 100, clientTimeoutMs });
    const close = async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    };
    stack.use(ledger);
    return { stream, ledger, close };
  }

  test('sends each order once, with a quantity of its own', async () => {
    const quantities: number[] = [];
    const { stream, ledger, close } = await streamTo((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => quantities.push(JSON.parse(text).quantity));
      request.on('end', () => response.writeHead(201).end());
    }, 'once');
    await eventually(() => stream.endings.length >= 20);
    await stream.end();
    expect(new Set(quantities).size).toBe(quantities.length);
    const report = ledger.compare(quantities.map(String));
    await close();
    expect(report).toMatchObject({ attempted: stream.endings.length, acknowledged: quantities.length, lost: [] });
  });

  test('goes on when the service is gone, and ends', async () => {
    const { stream, close } = await streamTo((request, response) => {
      request.resume();
      request.on('end', () => response.writeHead(201).end());
    }, 'gone');
    await eventually(() => stream.endings.some(({ status }) => status === 201));
    await close();
    await eventually(() => stream.endings.filter(({ status }) => status === undefined).length >= 8);
    await stream.end();
    expect(stream.endings.at(-1)).toMatchObject({ status: undefined });
  });

  test('gives up on an answer that does not come', async () => {
    const { stream, close } = await streamTo(request => void request.resume(), 'silent', 100);
    await eventually(() => stream.endings.length >= 4);
    await stream.end();
    await close();
    expect(stream.endings.every(({ status }) => status === undefined)).toBe(true);
  });
});

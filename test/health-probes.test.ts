import { Agent, get } from 'node:http';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { definePlugin, HttpServer, type Kernel } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import health from '@keelson/health';
import http from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { startKernel } from '@keelson/test-support/start-kernel';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** The long form: HEALTH_SATURATED_MS=60000. */
const saturatedMs = Number(process.env.HEALTH_SATURATED_MS ?? 2_000);

let database: TestDatabase;
let proxy: TcpProxy;
let kernel: Kernel;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startTcpProxy({ to: database.url });
});

afterAll(async () => {
  await proxy.dispose();
  await database[Symbol.asyncDispose]();
});

beforeEach(async () => {
  const flaky = definePlugin({
    name: 'flaky',
    start() {
      throw new Error('not today');
    },
  });
  kernel = await startKernel({
    plugins: { http, health, retry, database: postgresql, flaky },
    values: {
      http: { admin: { port: 0, host: '127.0.0.1' } },
      database: { url: proxy.url(), pool: { max: 2 } },
      health: {
        details: 'facts',
        checks: { database: { intervalMs: 3_600_000, timeoutMs: 600_000 } },
        groups: { traffic: { checks: ['database'] } },
      },
      flaky: { optional: true },
    },
  });
});

afterEach(async () => {
  await proxy.setMode('pass');
  await kernel.stop();
});

const server = () => kernel.container.get(HttpServer);
const agent = new Agent({ keepAlive: true, maxSockets: 20 });

/** One probe, over a connection that stays: its status and how long it took, in ms. */
function probe(
  path: string,
  base = server().url,
): Promise<{ readonly status: number | undefined; readonly ms: number }> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    get(`${base}${path}`, { agent }, response => {
      response.resume().on('end', () => resolve({ status: response.statusCode, ms: performance.now() - startedAt }));
    }).on('error', reject);
  });
}

/** Work that holds every connection of the pool, and more that waits, until it is released. */
async function saturate() {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const service = kernel.container.get(DatabaseService);
  const work = Array.from({ length: 10 }, () =>
    service
      .session(async em => {
        await em.execute('select 1');
        await promise;
      })
      .catch(() => {}),
  );
  await eventually(() => service.stats().waiting > 0);
  return {
    release: () => {
      release();
      return Promise.all(work);
    },
  };
}

describe('a probe', () => {
  test('costs the database nothing, however often it is asked', async () => {
    await eventually(async () => (await probe('/readyz/traffic')).status === 200);
    const recording = proxy.recording();
    const before = proxy.counters.roundTrips;
    for (let round = 0; round < 500; round++) {
      await Promise.all(Array.from({ length: 20 }, () => probe('/readyz')));
    }
    expect(proxy.counters.roundTrips - before).toBe(0);
    expect(recording.statements).toEqual([]);
  }, 60_000);

  test(
    'answers while the database is silent and its pool is saturated, in a process with slices of 200 ms',
    async () => {
      await eventually(async () => (await probe('/readyz')).status === 200);
      const saturated = await saturate();
      await proxy.setMode('blackhole');
      const until = performance.now() + saturatedMs;
      const times: number[] = [];
      let done = false;
      const slices = (async () => {
        while (!done) {
          const end = performance.now() + 200;
          while (performance.now() < end);
          await setImmediate();
          await sleep(5);
        }
      })();
      while (performance.now() < until) {
        const [ready] = await Promise.all([
          probe('/readyz'),
          probe('/livez', server().adminUrl),
          probe('/readyz/traffic'),
        ]);
        times.push(ready.ms);
        expect(ready.status).toBe(200);
      }
      done = true;
      await slices;
      times.sort((a, b) => a - b);
      expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(1_000);

      // Without the slices it takes next to no time. The quickest tenth, as other work of the machine slows the rest.
      const alone: number[] = [];
      for (let count = 0; count < 100; count++) alone.push((await probe('/readyz')).ms);
      alone.sort((a, b) => a - b);
      expect(alone[9]).toBeLessThan(5);
      await proxy.setMode('pass');
      await saturated.release();
    },
    30_000 + 2 * saturatedMs,
  );
});

describe('what is folded in', () => {
  test('a pool that callers wait for, an optional plugin that failed: the service is ready, and degraded by them', async () => {
    const saturated = await saturate();
    const answer = async () =>
      (await fetch(`${server().adminUrl}/readyz`)).json() as Promise<{ status: string; degraded?: string[] }>;
    await eventually(async () => (await answer()).degraded?.includes('database-pool') === true, { timeoutMs: 10_000 });
    expect(await answer()).toMatchObject({ status: 'warn', degraded: expect.arrayContaining(['plugin-flaky']) });
    await saturated.release();
  }, 30_000);

  test('a breaker that an operator holds open', async () => {
    await kernel.operate('retry', 'hold', ['database', 'open']);
    await eventually(async () => (await (await fetch(`${server().adminUrl}/readyz`)).text()).includes('held-open'), {
      timeoutMs: 10_000,
    });
    await kernel.operate('retry', 'release', ['database']);
  }, 30_000);
});

test('an event loop that is late, a memory near its limit and a disk that is full degrade the service, and no more', async () => {
  const checks = { intervalMs: 100, failureThreshold: 1 };
  await using strained = await startKernel({
    plugins: { http, health },
    values: {
      http: { admin: { port: 0, host: '127.0.0.1' } },
      health: {
        process: {
          eventLoop: { maxDelayMs: 50 },
          memory: { maxPercent: 1 },
          disk: { minFreeBytes: Number.MAX_SAFE_INTEGER },
        },
        checks: { 'process-event-loop': checks, 'process-memory': checks },
        groups: { rollout: { checks: ['process-*'], degraded: 'fail' } },
      },
    },
  });
  const admin = strained.container.get(HttpServer).adminUrl;
  // More than 1 % of the heap.
  const kept = new Array<number>(12_000_000).fill(0.5);
  const names = ['process-event-loop', 'process-memory', 'process-disk'];
  await eventually(async () => {
    const end = performance.now() + 120;
    while (performance.now() < end);
    const response = await fetch(`${admin}/readyz`);
    expect(response.status).toBe(200);
    const body = (await response.json()) as { status: string; degraded: string[] };
    expect(body).toMatchObject({ status: 'warn', degraded: expect.arrayContaining(names) });
    expect((await fetch(`${admin}/readyz/rollout`)).status).toBe(503);
    expect((await fetch(`${admin}/livez`)).status).toBe(200);
  });
  expect(kept).toHaveLength(12_000_000);
}, 30_000);

test('the port of the API says whether the service is ready, and nothing else', async () => {
  await eventually(async () => (await probe('/readyz')).status === 200);
  const api = await fetch(`${server().url}/readyz`);
  const { status } = (await api.json()) as { status: string };
  expect(['pass', 'warn']).toContain(status);
  expect(await (await fetch(`${server().url}/readyz?verbose`)).text()).toBe('readyz check passed\n');
  const admin = (await (await fetch(`${server().adminUrl}/readyz`)).json()) as { checks: object };
  expect(Object.keys(admin.checks)).toContain('lifecycle');
});

import { type Clock, Deadline, definePlugin, HttpServer, runWithDeadline } from '@keelson/core';
import { FakeClock, RecordingMetrics } from '@keelson/core/testing';
import postgresql from '@keelson/database-postgresql';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { startKernel } from '@keelson/test-support/start-kernel';
import { describe, expect, test } from 'vitest';
import { Harness, problemFrom } from './harness.fixture.js';
import { httpOptions } from './options.js';
import { type Load, Overload, type PoolLoad } from './overload.js';
import { currentSession } from './request-sessions.js';
import { http } from './server-under-test.fixture.js';

const limits = { maxActive: 3, maxLateMs: 500, longestWaitMs: 5_000 };

/** What the service works with, for the test to change. */
class Numbers {
  readonly clock = new FakeClock();
  activeNow = 1;
  /** How late the timers of the process are. */
  lateMs = 0;
  line: { -readonly [key in keyof PoolLoad]: PoolLoad[key] } = {
    connectedSince: 1,
    waiting: 1,
    acquired: 0,
    waited: 0,
  };
  hasDatabase = true;
  readonly overload: Overload;

  constructor() {
    const { clock } = this;
    const late: Clock = {
      now: () => clock.now(),
      date: () => clock.date(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      schedule: (ms, callback) => clock.schedule(ms + this.lateMs, callback),
    };
    const load: Load = {
      active: () => this.activeNow,
      pool: () => (this.hasDatabase ? { ...this.line } : undefined),
    };
    this.overload = new Overload(limits, load, late);
    this.overload.start();
  }

  /** Until the next look, with `lent` connections in it, of which `waited` to callers in the line. */
  async look(lent = 0, waited = lent): Promise<void> {
    this.line.acquired += lent;
    this.line.waited += waited;
    await this.clock.advance(250 + this.lateMs);
  }
}

describe('a request is refused', () => {
  test('when more run than may', () => {
    const numbers = new Numbers();
    numbers.activeNow = 3;
    expect(numbers.overload.refusal()).toBeUndefined();
    numbers.activeNow = 4;
    expect(numbers.overload.refusal()).toMatchObject({ code: 'HTTP_OVERLOADED', facts: { active: 4, maxActive: 3 } });
  });

  test('while the process is too busy, and not after; one long step is not enough', async () => {
    const numbers = new Numbers();
    numbers.lateMs = 900;
    await numbers.look();
    await numbers.look();
    expect(numbers.overload.refusal()).toBeUndefined();
    await numbers.look();
    expect(numbers.overload.refusal()).toMatchObject({ facts: { lateMs: 675 } });
    numbers.lateMs = 0;
    await numbers.clock.advance(1_150);
    await numbers.look();
    expect(numbers.overload.refusal()).toBeUndefined();
  });

  test('when the line for a connection takes longer than the longest wait', async () => {
    const numbers = new Numbers();
    for (const lent of [0, 25, 10]) await numbers.look(lent);
    numbers.line.waiting = 500;
    expect(numbers.overload.refusal()).toBeUndefined();
    numbers.line.waiting = 501;
    expect(numbers.overload.refusal()).toMatchObject({ facts: { waiting: 501, waitMs: 5_010 } });
  });

  test('when sessions take longer than the pause between two looks', async () => {
    const numbers = new Numbers();
    numbers.line.waiting = 10;
    // One connection is lent each 500 ms.
    for (const lent of [0, 0, 1, 0, 1, 0]) await numbers.look(lent);
    expect(numbers.overload.refusal()).toBeUndefined();
    numbers.line.waiting = 11;
    expect(numbers.overload.refusal()).toMatchObject({ facts: { waiting: 11, waitMs: 5_500 } });
  });

  test('when the line takes longer than its client waits', async () => {
    const numbers = new Numbers();
    for (const lent of [0, 25, 25]) await numbers.look(lent);
    numbers.line.waiting = 20;
    const refusalWithin = (ms: number) =>
      runWithDeadline(Deadline.after(ms, numbers.clock), () => numbers.overload.refusal());
    expect(refusalWithin(200)).toBeUndefined();
    expect(refusalWithin(199)).toMatchObject({ facts: { waiting: 20, waitMs: 200 } });
  });
});

describe('a request is let in', () => {
  test('while the pool lends nothing', async () => {
    const numbers = new Numbers();
    numbers.line.waiting = 1_000;
    for (const lent of [0, 0, 25, 0]) {
      await numbers.look(lent);
      expect(numbers.overload.refusal()).toBeUndefined();
    }
  });

  test('when a pool that lent each 500 ms lends nothing any more', async () => {
    const numbers = new Numbers();
    numbers.line.waiting = 1_000;
    for (const lent of [0, 0, 1, 0, 1]) await numbers.look(lent);
    expect(numbers.overload.refusal()).toMatchObject({ code: 'HTTP_OVERLOADED' });
    for (let looks = 0; looks < 7; looks++) await numbers.look();
    expect(numbers.overload.refusal()).toBeUndefined();
  });

  test('while the database is away, and after an outage until the speed of the pool is known again', async () => {
    const numbers = new Numbers();
    numbers.line.waiting = 1_000;
    for (const lent of [0, 25, 25]) await numbers.look(lent);
    expect(numbers.overload.refusal()).toMatchObject({ code: 'HTTP_OVERLOADED' });
    numbers.line.connectedSince = undefined;
    expect(numbers.overload.refusal()).toBeUndefined();
    await numbers.look(3);
    numbers.line.connectedSince = 2;
    for (const lent of [3, 25]) {
      await numbers.look(lent);
      expect(numbers.overload.refusal()).toBeUndefined();
    }
    await numbers.look(25);
    expect(numbers.overload.refusal()).toMatchObject({ code: 'HTTP_OVERLOADED' });
  });

  test('after a time in which the requests, and not the pool, set the speed', async () => {
    const numbers = new Numbers();
    numbers.line.waiting = 0;
    for (const lent of [0, 1, 1]) await numbers.look(lent, 0);
    numbers.line.waiting = 1_000;
    expect(numbers.overload.refusal()).toBeUndefined();
    await numbers.look(25, 24);
    await numbers.look(25);
    expect(numbers.overload.refusal()).toBeUndefined();
    await numbers.look(25);
    expect(numbers.overload.refusal()).toMatchObject({ code: 'HTTP_OVERLOADED' });
  });

  test('after a time in which the line was empty for a moment: a caller got a connection at once', async () => {
    const numbers = new Numbers();
    numbers.line.waiting = 1_000;
    for (const lent of [0, 2, 2, 2]) {
      await numbers.look(lent, Math.max(0, lent - 1));
      expect(numbers.overload.refusal()).toBeUndefined();
    }
  });

  test('in a service without a database', async () => {
    const numbers = new Numbers();
    numbers.hasDatabase = false;
    await numbers.look();
    expect(numbers.overload.refusal()).toBeUndefined();
  });
});

test('refusals are counted by their reason, which is one of three', async () => {
  const numbers = new Numbers();
  const metrics = new RecordingMetrics();
  numbers.overload.measure(metrics);
  const refused = () =>
    ['active_requests', 'event_loop', 'connection_wait'].map(reason =>
      metrics.value('http.server.overload.refusals', { reason }),
    );
  expect(refused()).toEqual([0, 0, 0]);
  numbers.activeNow = 4;
  numbers.overload.refusal();
  expect(refused()).toEqual([1, 0, 0]);
  numbers.activeNow = 1;
  numbers.lateMs = 900;
  for (let looks = 0; looks < 3; looks++) await numbers.look();
  numbers.overload.refusal();
  numbers.overload.refusal();
  expect(refused()).toEqual([1, 2, 0]);
  numbers.lateMs = 0;
  await numbers.clock.advance(1_150);
  for (const lent of [0, 25, 10]) await numbers.look(lent);
  expect(numbers.overload.refusal()).toBeUndefined();
  numbers.line.waiting = 501;
  numbers.overload.refusal();
  expect(refused()).toEqual([1, 2, 1]);
});

test('it looks no more after the end', async () => {
  const numbers = new Numbers();
  numbers.overload[Symbol.dispose]();
  expect(numbers.clock.pending).toBe(0);
});

describe('over HTTP', () => {
  const options = (overload: object | false) => httpOptions.parse({ port: 0, host: '127.0.0.1', overload });

  test('one more than may run is a 503 with Retry-After, and probes are answered', async () => {
    await using harness = new Harness(options({ maxActive: 1 }));
    const metrics = new RecordingMetrics();
    await harness.server.measure(metrics);
    const slow = harness.slowRoute('done');
    harness.http.router('/livez', (_request, response) => response.end('alive'), { session: 'none' });
    await harness.ready();
    const running = fetch(`${harness.url}/slow`);
    await slow.arrived;
    expect(await problemFrom(await fetch(`${harness.url}/slow`))).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { type: expect.stringContaining('HTTP_OVERLOADED') },
    });
    expect(await (await fetch(`${harness.url}/livez`)).text()).toBe('alive');
    expect(metrics.value('http.server.overload.refusals', { reason: 'active_requests' })).toBe(1);
    await eventually(() =>
      expect(metrics.value('http.server.refused_requests', { reason: 'HTTP_OVERLOADED' })).toBe(1),
    );
    slow.open();
    expect(await (await running).text()).toBe('done');
    expect(harness.telemetry.errors()).toEqual([]);
  });

  test('the line for a connection that is too long refuses what would wait in it, and no probe', async () => {
    await using database = await createTestDatabase();
    const sleeper = definePlugin({
      name: 'sleeper',
      requires: [HttpServer],
      start: ({ container }) => {
        const server = container.get(HttpServer);
        server.router('/sleep', async (request, response) => {
          await currentSession(request).execute('select pg_sleep(0.3)');
          response.end('slept');
        });
        server.router('/livez', (_request, response) => response.end('alive'), { session: 'none' });
      },
    });
    await using kernel = await startKernel({
      plugins: { http, database: postgresql, sleeper },
      values: {
        http: { overload: { longestWaitMs: 600, maxLateMs: 60_000 } },
        database: { url: database.url, pool: { max: 1 } },
      },
    });
    const { url } = kernel.container.get(HttpServer);
    const statusOf = async (path: string) => (await fetch(`${url}${path}`)).status;
    const waiting = Array.from({ length: 30 }, () => statusOf('/sleep'));
    await eventually(async () => expect(await statusOf('/sleep')).toBe(503), { intervalMs: 100, timeoutMs: 15_000 });
    expect(await statusOf('/livez')).toBe(200);
    // Those that were let in are answered, after up to 9 s; some came too late for that.
    const statuses = await Promise.all(waiting);
    expect(statuses.filter(status => status === 200).length).toBeGreaterThan(3);
    expect(new Set(statuses).difference(new Set([200, 503])).size).toBe(0);
    expect(await statusOf('/sleep')).toBe(200);
  });

  test('none is refused when the deployment says so', async () => {
    await using harness = new Harness(options(false));
    const slow = harness.slowRoute('done');
    await harness.ready();
    const both = [fetch(`${harness.url}/slow`), fetch(`${harness.url}/slow`)];
    await slow.arrived;
    slow.open();
    expect(await Promise.all(both.map(async answer => (await answer).status))).toEqual([200, 200]);
  });
});

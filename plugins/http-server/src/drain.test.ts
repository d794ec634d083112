import { fork } from 'node:child_process';
import { once } from 'node:events';
import { FakeClock } from '@keelson/core/testing';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { connectTo, gate, Harness } from './harness.fixture.js';

let harness: Harness;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  harness = await new Harness({ drainTimeoutMs: 5_000 }, clock).ready();
});

afterEach(async () => {
  await harness.stop();
  expect(clock.pending).toBe(0);
});

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`;

/** A request that is being answered until it is opened, and its connection. */
async function slowRequest() {
  const slow = harness.slowRoute('answered');
  const connection = (await harness.connect()).send(get('/slow'));
  await slow.arrived;
  return { slow, connection };
}

/** The connection of a request that is never answered. */
async function unansweredRequest() {
  const arrived = Promise.withResolvers<void>();
  harness.http.router('/never', () => arrived.resolve());
  const connection = (await harness.connect()).send(get('/never'));
  await arrived.promise;
  return connection;
}

/** Lets time pass until `drain` is done. */
async function passing(drain: Promise<void>): Promise<void> {
  let done = false;
  const settled = drain.finally(() => {
    done = true;
  });
  while (!done) {
    await clock.advance(10);
    await new Promise(setImmediate);
  }
  await settled;
}

/** Turns of the event loop, for what must not happen in any of them. */
async function aFewTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

describe('draining', () => {
  test('waits for the request that is being answered, whose answer closes its connection', async () => {
    const { slow, connection } = await slowRequest();
    let drained = false;
    const drain = harness.drain().then(() => {
      drained = true;
    });
    await new Promise(setImmediate);
    expect(drained).toBe(false);
    slow.open();
    await passing(drain);
    const received = await connection.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(received).toMatch(/\r\nConnection: close\r\n/);
    expect(received).toContain('answered');
  });

  test('takes no new connection', async () => {
    const { url } = harness;
    await passing(harness.drain());
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  test('closes idle connections when they have been at rest: those that have been answered, and those that never asked', async () => {
    const silent = await harness.connect();
    const kept = await harness.connect();
    kept.send(get('/'));
    await kept.until(({ received }) => received.includes('HTTP_ROUTE_UNKNOWN'));
    const drain = harness.drain();
    await clock.advance(400);
    await aFewTurns();
    expect([silent.closed, kept.closed], 'a request may be on its way').toEqual([false, false]);
    await passing(drain);
    await silent.until(({ closed }) => closed);
    await kept.until(({ closed }) => closed);
    expect(kept.received).not.toMatch(/\r\nConnection: close\r\n/);
  });

  test('answers a request that comes on an idle connection, and closes it then', async () => {
    const late = await harness.connect();
    const drain = harness.drain();
    await clock.advance(400);
    late.send(get('/'));
    const passed = passing(drain);
    expect(await late.until(({ closed }) => closed)).toMatch(/^HTTP\/1.1 503 [\s\S]*\r\nConnection: close\r\n/);
    await passed;
  });

  test('does not wait for a client that has stopped in the middle of its request', async () => {
    const half = await harness.connect();
    half.send('GET / HTTP/1.1\r\nHo');
    await aFewTurns();
    await passing(harness.drain());
    await half.until(({ closed }) => closed);
    expect(half.received).toBe('');
  });

  test('lets a client that is still sending read its answer', async () => {
    const busy = await harness.connect();
    const drain = harness.drain();
    busy.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4000000\r\n\r\n');
    for (let part = 0; part < 40; part++) busy.send('x'.repeat(100_000));
    const passed = passing(drain);
    const received = await busy.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 503 /);
    expect(received).toContain('HTTP_STOPPING');
    expect(busy.failed).toBeUndefined();
    await passed;
  });

  test('does not handle what follows the last answer of a connection', async () => {
    let handled = 0;
    harness.http.router('/livez', (_request, response) => response.end(`${++handled}`), { session: 'none' });
    const connection = await harness.connect();
    const drain = harness.drain();
    connection.send(get('/livez'));
    await connection.until(({ received }) => received.includes('\r\n\r\n1'));
    connection.send(get('/livez'));
    await passing(drain);
    expect(handled).toBe(1);
  });

  test('answers all of several running requests on one connection, the last with Connection: close', async () => {
    const alive = (_request: unknown, response: { end(text: string): void }) =>
      setImmediate(() => response.end('alive'));
    harness.http.router('/livez', alive, { session: 'none' });
    const connection = await harness.connect();
    const drain = harness.drain();
    connection.send(get('/livez').repeat(3));
    const passed = passing(drain);
    const received = await connection.until(({ closed }) => closed);
    expect(received.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
    expect(received.match(/Connection: close/g)).toHaveLength(1);
    await passed;
  });

  test('answers what comes on an open connection: 503 for routes, as ever for probes, both with Connection: close', async () => {
    const { slow } = await slowRequest();
    harness.http.router('/livez', (_request, response) => response.end('alive'), { session: 'none' });
    const halfRoute = await harness.connect();
    halfRoute.send('GET /slow HTTP/1.1\r\nHo');
    const halfProbe = await harness.connect();
    halfProbe.send('GET /livez HTTP/1.1\r\nHo');
    const probed = await fetch(`${harness.url}/livez`);
    expect(await probed.text()).toBe('alive');

    const passed = passing(harness.drain());
    halfRoute.send('st: test\r\n\r\n');
    halfProbe.send('st: test\r\n\r\n');
    const refused = await halfRoute.until(({ closed }) => closed);
    expect(refused).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/);
    expect(refused).toMatch(/\r\nConnection: close\r\n/);
    expect(refused).toMatch(/\r\nRetry-After: 1\r\n/);
    expect(refused).toContain('urn:keelson:problem:HTTP_STOPPING');
    const alive = await halfProbe.until(({ closed }) => closed);
    expect(alive).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(alive).toMatch(/\r\nConnection: close\r\n/);
    slow.open();
    await passed;
  });

  test('cuts what is not answered when its time is over, and says how many', async () => {
    const connection = await unansweredRequest();
    let drained = false;
    const drain = harness.drain().then(() => {
      drained = true;
    });
    await clock.advance(4_999);
    expect(drained).toBe(false);
    await clock.advance(1);
    await drain;
    await connection.until(({ closed }) => closed);
    expect(connection.received).toBe('');
    expect(harness.logger.find('requests cut')).toMatchObject({ level: 'warn', facts: { requests: 1 } });
  });

  test('cuts at once when the stop has no time left', async () => {
    const connection = await unansweredRequest();
    const hurry = new AbortController();
    const drain = harness.drain(hurry.signal);
    hurry.abort();
    await drain;
    await connection.until(({ closed }) => closed);
  });

  test('with an answer half sent lets it end, then closes its connection, whatever others still wait for', async () => {
    const { slow } = await slowRequest();
    const half = gate();
    harness.http.router('/stream', async (_request, response) => {
      response.write('first ');
      await half.pass();
      response.end('last');
    });
    const connection = await harness.connect();
    connection.send(get('/stream'));
    await connection.until(({ received }) => received.includes('first'));
    const passed = passing(harness.drain());
    half.open();
    expect(await connection.until(({ closed }) => closed)).toContain('last');
    slow.open();
    await passed;
  });
});

describe('from the notice on', () => {
  test('every answer closes its connection, also running ones, and requests are served', async () => {
    const { slow, connection: running } = await slowRequest();
    harness.http.router('/fast', (_request, response) => response.end('answered'));
    const idle = await harness.connect();
    harness.lifecycle.move('stopping');
    slow.open();
    for (const connection of [running, idle.send(get('/fast')), (await harness.connect()).send(get('/fast'))])
      expect(await connection.until(({ closed }) => closed)).toMatch(
        /^HTTP\/1.1 200 OK[\s\S]*\r\nConnection: close\r\n/,
      );
  });
});

describe('the process', () => {
  test('ends after a stop, though a client keeps its connection open', async () => {
    const child = fork(new URL('./stopping-service.fixture.ts', import.meta.url), {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    onTestFinished(() => void child.kill());
    const [port] = await once(child, 'message');
    const connection = await connectTo(Number(port));
    connection.send(get('/'));
    await connection.until(({ received }) => received.includes('HTTP_ROUTE_UNKNOWN'));
    child.send('stop');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    await connection.until(({ closed }) => closed);
  });
});

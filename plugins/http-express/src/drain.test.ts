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

/** A request that is being answered until it is opened. */
async function slowRequest() {
  const slow = gate();
  harness.http.router('/slow', async (_request, response) => {
    await slow.pass();
    response.end('answered');
  });
  const connection = await harness.connect();
  connection.send(get('/slow'));
  await slow.arrived;
  return slow;
}

describe('draining', () => {
  test('waits for the request that is being answered, whose answer closes its connection', async () => {
    const slow = gate();
    harness.http.router('/slow', async (_request, response) => {
      await slow.pass();
      response.end('answered');
    });
    const connection = await harness.connect();
    connection.send(get('/slow'));
    await slow.arrived;
    let drained = false;
    const drain = harness.drain().then(() => {
      drained = true;
    });
    await new Promise(setImmediate);
    expect(drained).toBe(false);
    slow.open();
    await drain;
    const received = await connection.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(received).toMatch(/\r\nConnection: close\r\n/);
    expect(received).toContain('answered');
  });

  test('takes no new connection', async () => {
    const { url } = harness;
    await harness.drain();
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  test('closes idle connections at once: those that have been answered, and those that never asked', async () => {
    const slow = await slowRequest();
    const silent = await harness.connect();
    const kept = await harness.connect();
    kept.send(get('/'));
    await kept.until(({ received }) => received.includes('HTTP_ROUTE_UNKNOWN'));
    const drain = harness.drain();
    await silent.until(({ closed }) => closed);
    await kept.until(({ closed }) => closed);
    expect(kept.received).not.toMatch(/\r\nConnection: close\r\n/);
    slow.open();
    await drain;
  });

  test('answers what comes on an open connection: 503 for routes, as ever for probes, both with Connection: close', async () => {
    const slow = gate();
    harness.http.router('/slow', async (_request, response) => {
      await slow.pass();
      response.end('answered');
    });
    harness.http.router('/livez', (_request, response) => response.end('alive'), { session: 'none' });
    const busy = await harness.connect();
    busy.send(get('/slow'));
    const halfRoute = await harness.connect();
    halfRoute.send('GET /slow HTTP/1.1\r\nHo');
    const halfProbe = await harness.connect();
    halfProbe.send('GET /livez HTTP/1.1\r\nHo');
    await slow.arrived;
    const probed = await fetch(`${harness.url}/livez`);
    expect(await probed.text()).toBe('alive');

    const drain = harness.drain();
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
    await drain;
  });

  test('cuts what is not answered when its time is over, and says how many', async () => {
    const arrived = Promise.withResolvers<void>();
    harness.http.router('/never', () => arrived.resolve());
    const connection = await harness.connect();
    connection.send(get('/never'));
    await arrived.promise;
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
    expect(harness.logger.find('Requests are cut')).toMatchObject({ level: 'warn', facts: { requests: 1 } });
  });

  test('cuts at once when the stop has no time left', async () => {
    const arrived = Promise.withResolvers<void>();
    harness.http.router('/never', () => arrived.resolve());
    const connection = await harness.connect();
    connection.send(get('/never'));
    await arrived.promise;
    const hurry = new AbortController();
    const drain = harness.drain(hurry.signal);
    hurry.abort();
    await drain;
    await connection.until(({ closed }) => closed);
  });

  test('with an answer half sent lets it end, then closes its connection, whatever others still wait for', async () => {
    const slow = await slowRequest();
    const half = gate();
    harness.http.router('/stream', async (_request, response) => {
      response.write('first ');
      await half.pass();
      response.end('last');
    });
    const connection = await harness.connect();
    connection.send(get('/stream'));
    await connection.until(({ received }) => received.includes('first'));
    const drain = harness.drain();
    half.open();
    expect(await connection.until(({ closed }) => closed)).toContain('last');
    slow.open();
    await drain;
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

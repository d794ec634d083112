import { Deadline, silentTelemetry } from '@keelson/core';
import { FakeClock, RecordingLogger, RecordingMetrics } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import type { DriverListener, OpenListenerOptions } from '../driver/driver.js';
import { Listening } from './listening.js';

/** A server that answers as the test says. */
function setUp() {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const metrics = new RecordingMetrics();
  const server = {
    /** When it was asked for a connection. */
    openedAtMs: [] as number[],
    listened: [] as (readonly string[])[],
    proofs: 0,
    refusal: undefined as Error | undefined,
    isSilent: false,
    current: undefined as OpenListenerOptions | undefined,
  };
  const answer = (signal: AbortSignal) =>
    server.isSilent
      ? new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      : Promise.resolve();
  const open = async (options: OpenListenerOptions): Promise<DriverListener> => {
    server.openedAtMs.push(clock.now());
    if (server.refusal !== undefined) throw server.refusal;
    server.current = options;
    return {
      listen: async (channels, signal) => {
        await answer(signal);
        server.listened.push(channels);
      },
      unlisten: (_, signal) => answer(signal),
      prove: signal => {
        server.proofs += 1;
        return answer(signal);
      },
      close: () => {},
    };
  };
  const listening = new Listening({
    open,
    clock,
    logger,
    metrics,
    telemetry: silentTelemetry,
    target: 'database',
    options: { checkIntervalMs: 10_000, checkTimeoutMs: 3_000, maxQueued: 3 },
    connectTimeoutMs: 30_000,
    detached: work => work(),
  });
  const seen: string[] = [];
  const listen = (channel: string) =>
    listening.listen(channel, event => void seen.push(event.is === 'gap' ? event.reason : String(event.payload)), {});
  return { clock, logger, metrics, server, listening, listen, seen };
}

const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });

describe('the connection that listens', () => {
  test('proves after each silence that it leads somewhere, and a message is a proof', async () => {
    const { clock, server, listen } = setUp();
    await listen('a');
    await clock.advance(9_000);
    server.current?.onMessage({ channel: 'a', payload: 'x' });
    await clock.advance(9_999);
    expect(server.proofs).toBe(0);
    await clock.advance(1);
    expect(server.proofs).toBe(1);
    await clock.advance(10_000);
    expect(server.proofs).toBe(2);
  });

  test('is opened again when the proof does not come, and when something speaks against the server', async () => {
    const { clock, server, listening, listen, seen } = setUp();
    await listen('a');
    await clock.advance(0);
    server.isSilent = true;
    listening.doubt();
    await clock.advance(2_999);
    expect(listening.stats()).toMatchObject({ state: 'listening' });
    await clock.advance(1);
    expect(listening.stats()).toMatchObject({ state: 'connecting', cause: { code: 'ETIMEDOUT' } });
    server.isSilent = false;
    await clock.advance(10_000);
    expect(listening.stats()).toMatchObject({ state: 'listening' });
    expect(seen).toEqual(['started', 'reconnected']);
  });

  test('is asked for in growing pauses of random length, of 5 s at most, and all channels go with it', async () => {
    const { clock, logger, server, listen, listening } = setUp();
    await Promise.all([listen('a'), listen('b')]);
    server.refusal = refused;
    server.openedAtMs = [];
    server.current?.onLost(refused);
    await clock.advance(120_000);
    const pauses = server.openedAtMs.slice(1).map((at, index) => at - (server.openedAtMs[index] ?? 0));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(5_000);
    expect(Math.max(...pauses.slice(0, 3))).toBeLessThanOrEqual(800);
    expect(new Set(pauses).size).toBeGreaterThan(pauses.length / 2);
    expect(pauses.length).toBeGreaterThan(20);
    expect(logger.findAll('listening interrupted')).toHaveLength(1);
    server.refusal = undefined;
    await clock.advance(5_000);
    expect(server.listened.at(-1)).toEqual(['a', 'b']);
    expect(listening.stats()).toMatchObject({ state: 'listening', channels: 2 });
  });

  test('leaves no timer behind when it is closed', async () => {
    const { clock, server, listening, listen } = setUp();
    const first = await listen('a');
    server.refusal = refused;
    server.current?.onLost(refused);
    await clock.advance(1_000);
    const waiting = listen('b');
    waiting.catch(() => {});
    await first.close();
    await listening.close(Deadline.after(1_000, clock));
    await expect(waiting).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  test('rejects at once what no retry mends, and never gives up on those that have begun', async () => {
    const { clock, server, listen, listening } = setUp();
    await listen('a');
    server.refusal = Object.assign(new Error('wrong'), { code: '28P01', severity: 'FATAL' });
    server.current?.onLost(refused);
    const second = listen('b');
    second.catch(() => {});
    await clock.advance(500);
    await expect(second).rejects.toMatchObject({ code: 'DATABASE_LISTEN_FAILED', facts: { sqlState: '28P01' } });
    server.refusal = undefined;
    await clock.advance(5_000);
    expect(listening.stats()).toMatchObject({ state: 'listening', channels: 1 });
  });

  test('is a set of metrics', async () => {
    const { clock, metrics, server, listen } = setUp();
    await listen('a');
    await clock.advance(0);
    for (const payload of ['1', '2', '3', '4', '5']) server.current?.onMessage({ channel: 'a', payload });
    const value = (name: string) => metrics.value(`db.client.notifications.${name}`);
    expect([value('received'), value('listening')]).toEqual([5, 1]);
    expect(value('queued')).toBeGreaterThan(0);
    await clock.advance(0);
    expect(value('queued')).toBe(0);
  });
});

import { beforeEach, describe, expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import type { Credential } from '../contract/slots/credentials.js';
import { credentialsConformance } from '../testing/credentials-conformance.js';
import { FakeClock } from '../testing/fake-clock.js';
import { RecordingLogger } from '../testing/recording-logger.js';
import { RecordingMetrics } from '../testing/recording-metrics.js';
import { CredentialKeeper, type CredentialKeeperParts } from './credential-keeper.js';

const down = new KeelsonError({ code: 'SOURCE_DOWN', message: 'The source is down.' });

describe('CredentialKeeper', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let metrics: RecordingMetrics;
  let asked: number;
  let source: () => Promise<Credential>;

  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    metrics = new RecordingMetrics();
    asked = 0;
    source = async () => numbered();
  });

  /** The `asked`th credential, valid for `lastsMs` from now. */
  const numbered = (lastsMs?: number): Credential => ({
    user: `user-${asked}`,
    password: `hunter-password-${asked}`,
    ...(lastsMs !== undefined && { expiresAt: new Date(clock.date().getTime() + lastsMs) }),
  });
  const keep = (more: Partial<CredentialKeeperParts> = {}) =>
    new CredentialKeeper({
      obtain: () => {
        asked += 1;
        return source();
      },
      clock,
      logger,
      metrics,
      key: 'credentials',
      random: () => 0.5,
      ...more,
    });
  const hour = 3_600_000;

  test('obtains the next one ahead of expiry, and gives it from then on', async () => {
    source = async () => numbered(hour);
    const keeper = keep();
    expect(await keeper.current()).toMatchObject({ user: 'user-1' });
    await clock.advance(hour * 0.7);
    expect(asked).toBe(1);
    await clock.advance(hour * 0.1);
    expect(asked).toBe(2);
    expect(await keeper.current()).toMatchObject({ user: 'user-2' });
    expect(logger.lines()).toMatchObject([{ message: 'credential renewed' }]);
  });

  test('the instances of a service do not ask at the same time', async () => {
    const times: number[] = [];
    for (const random of [0, 0.5, 1]) {
      source = async () => numbered(hour);
      const before = clock.now();
      const keeper = keep({ random: () => random });
      await keeper.current();
      const first = asked;
      while (asked === first) await clock.advance(60_000);
      times.push(Math.round((clock.now() - before) / 60_000));
      keeper.close();
    }
    expect(times).toEqual([48, 44, 40]);
  });

  test('one that does not say when it expires is obtained again after refreshMs, or when it is refused', async () => {
    const keeper = keep({ refreshMs: 60_000 });
    const first = await keeper.current();
    await clock.advance(60_000);
    expect(asked).toBe(2);
    expect(await keeper.renewed(first)).toMatchObject({ user: 'user-2' });
    expect(asked).toBe(2);
    keeper.close();
    const lasting = keep();
    const held = await lasting.current();
    await clock.advance(100 * hour);
    expect(asked).toBe(3);
    expect(await lasting.renewed(held)).toMatchObject({ user: 'user-4' });
  });

  test('while the source fails the old one stays, as long as it is valid; health and metrics report it', async () => {
    source = async () => numbered(hour);
    const keeper = keep();
    const held = await keeper.current();
    expect(await keeper.health()).toMatchObject({ status: 'pass' });
    source = () => Promise.reject(down);
    await clock.advance(hour * 0.9);
    expect(await keeper.current()).toEqual(held);
    expect(await keeper.health()).toMatchObject({
      status: 'warn',
      output: 'The credential could not be renewed (SOURCE_DOWN).',
    });
    const failed = 'The last attempt to obtain a credential failed (SOURCE_DOWN).';
    const expiresAt = held.expiresAt?.toISOString();
    expect(keeper.inspect().findings).toMatchObject([
      { status: 'warn', output: `${failed} The previous credential expires at ${expiresAt}.` },
    ]);
    await clock.advance(hour * 0.1);
    expect(keeper.inspect().findings).toMatchObject([
      { status: 'warn', output: `${failed} The previous credential expired at ${expiresAt}.` },
    ]);
    await expect(keeper.current()).rejects.toMatchObject({
      code: 'CREDENTIALS_UNAVAILABLE',
      message: 'There is no valid credential. The source is down.',
    });
    expect(await keeper.health()).toMatchObject({ status: 'fail' });
    expect(metrics.value('credentials.refreshes', { outcome: 'success' })).toBe(1);
    expect(metrics.value('credentials.refreshes', { outcome: 'failure' })).toBeGreaterThan(3);
    expect(metrics.value('credentials.remaining')).toBeLessThanOrEqual(0);
    source = async () => numbered(hour);
    await clock.advance(60_000);
    expect(await keeper.health()).toMatchObject({ status: 'pass' });
  });

  test('a source that fails is asked in growing pauses, however many need a credential', async () => {
    source = () => Promise.reject(down);
    const keeper = keep();
    const times: number[] = [];
    for (let second = 0; second < 200; second++) {
      const before = asked;
      await Promise.allSettled(Array.from({ length: 10 }, () => keeper.current()));
      if (asked > before) times.push(second);
      await clock.advance(1_000);
    }
    expect(asked).toBeLessThan(10);
  });

  test('about a credential that is refused again and again, the source is asked once a second', async () => {
    source = async () => ({ password: 'hunter-the-same' });
    const keeper = keep();
    const held = await keeper.current();
    for (let round = 0; round < 10; round++) {
      expect(await keeper.renewed(held)).toEqual(held);
      await clock.advance(100);
    }
    expect(asked).toBe(2);
    await clock.advance(1_000);
    await keeper.renewed(held);
    expect(asked).toBe(3);
  });

  test('a source that says that it has changed is asked at once', async () => {
    let isChanged = false;
    const keeper = keep({ isChanged: () => isChanged });
    await keeper.current();
    isChanged = true;
    expect(await keeper.current()).toMatchObject({ user: 'user-2' });
    source = () => Promise.reject(down);
    expect(await keeper.current()).toMatchObject({ user: 'user-2' });
  });

  test('an expired credential is none', async () => {
    source = async () => numbered(-1);
    await expect(keep().current()).rejects.toMatchObject({
      code: 'CREDENTIALS_UNAVAILABLE',
      message: expect.stringContaining('it has expired'),
    });
  });

  test('shows its password nowhere', async () => {
    source = async () => numbered(hour);
    const keeper = keep();
    await keeper.current();
    source = () => Promise.reject(down);
    await clock.advance(2 * hour);
    const error: unknown = await keeper.current().catch((thrown: unknown) => thrown);
    const shown = [error, logger.lines(), await keeper.health(), keeper.inspect(), metrics.instruments()];
    expect(JSON.stringify(shown)).not.toContain('hunter');
  });

  test('asks no source once it is closed, and leaves no timer', async () => {
    source = async () => numbered(hour);
    const keeper = keep();
    await keeper.current();
    keeper.close();
    await clock.advance(hour);
    expect(asked).toBe(1);
    expect(clock.pending).toBe(0);
  });

  describe('does what its slot asks:', () => {
    const harness = () => {
      let number = 1;
      let isDown = false;
      let count = 0;
      const credential = () => ({ user: 'app', password: `conforming-${number}` });
      const credentials = keep({
        obtain: async () => {
          count += 1;
          if (isDown) throw down;
          return credential();
        },
      });
      return {
        credentials,
        asked: () => count,
        rotate: async () => {
          number += 1;
          return credential();
        },
        fail: async () => {
          isDown = true;
        },
        close: () => credentials.close(),
      };
    };
    test.each(credentialsConformance(harness))('$name', async ({ run }) => expect(await run()).toBe('passed'));
  });
});

import { FakeClock } from '@keelson/core/testing';
import pg from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { asPgClient } from './pg-internals.js';
import type { BackendActivity, Look } from './server-activity.js';
import { SilenceWatch, type Waiting } from './silence-watch.js';

const silentAfterMs = 3_000;

/** A watch over one connection, whose server answers a look with `activity`. */
function watched(activity: BackendActivity | undefined) {
  const clock = new FakeClock();
  const client = asPgClient(Object.assign(new pg.Client(), { processID: 7 }));
  let waitingSince: number | undefined;
  const lose = vi.fn(() => {
    waitingSince = undefined;
  });
  const waiting: Waiting = {
    client,
    openedAt: 0,
    lose,
    get waitingSince() {
      return waitingSince;
    },
  };
  const end = vi.fn(async () => {});
  const look = vi.fn<Look>(async (_, judge) => {
    if (activity !== undefined) await judge(new Map([[client, activity]]), end);
  });
  const lent = [waiting];
  const watch = new SilenceWatch({ clock, silentAfterMs, lent: () => lent, look });
  watch.begin();
  return {
    clock,
    look,
    lose,
    end,
    giveBack: () => lent.splice(0),
    send: () => {
      waitingSince = clock.now();
    },
    answer: () => {
      waitingSince = undefined;
    },
  };
}

describe('a watch for lost statements', () => {
  test('does not ask the server while statements are answered in time', async () => {
    const { clock, look, send, answer } = watched('gone');
    for (let statement = 0; statement < 20; statement++) {
      send();
      await clock.advance(silentAfterMs * 0.9);
      answer();
    }
    expect(look).not.toHaveBeenCalled();
  });

  test('has no timer while no connection is lent', async () => {
    const { clock, giveBack, look } = watched('gone');
    giveBack();
    await clock.advance(silentAfterMs);
    expect(clock.pending).toBe(0);
    expect(look).not.toHaveBeenCalled();
  });

  test.each(['waits', 'gone'] as const)(
    'breaks the connection when two looks find that its backend %s',
    async activity => {
      const { clock, look, lose, end, send } = watched(activity);
      send();
      await clock.advance(silentAfterMs);
      expect(look).toHaveBeenCalledOnce();
      expect(lose).not.toHaveBeenCalled();
      await clock.advance(silentAfterMs / 3);
      expect(lose).toHaveBeenCalledOnce();
      expect(end).toHaveBeenCalledOnce();
    },
  );

  test('looks ever more rarely at a backend that works', async () => {
    const { clock, look, lose, send } = watched('works');
    send();
    await clock.advance(20 * 60_000);
    expect(look.mock.calls.length).toBeLessThan(30);
    expect(lose).not.toHaveBeenCalled();
  });

  test('concludes nothing from a server that does not answer the look', async () => {
    const { clock, look, lose, send } = watched(undefined);
    send();
    await clock.advance(60_000);
    expect(look.mock.calls.length).toBeGreaterThan(1);
    expect(lose).not.toHaveBeenCalled();
  });

  test('does not carry a suspicion over to the next statement', async () => {
    const { clock, lose, send, answer } = watched('waits');
    for (let statement = 0; statement < 5; statement++) {
      send();
      await clock.advance(silentAfterMs);
      answer();
      await clock.advance(silentAfterMs);
    }
    expect(lose).not.toHaveBeenCalled();
  });
});

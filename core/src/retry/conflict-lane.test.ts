import { expect, test } from 'vitest';
import { Deadline } from '../contract/deadline.js';
import { FakeClock } from '../testing/fake-clock.js';
import { ConflictLane } from './conflict-lane.js';
import { deadlinePassed } from './running-attempt.js';

const clock = new FakeClock();
const late = () => Deadline.after(60_000, clock);

test('lets one in at a time, first come, first served', async () => {
  const lane = new ConflictLane(clock);
  const order: string[] = [];
  const end = await lane.enter(late(), undefined);
  const others = ['second', 'third'].map(async name => {
    const endOther = await lane.enter(late(), undefined);
    order.push(name);
    return endOther;
  });
  await clock.advance(10);
  expect(order).toEqual([]);
  end();
  (await others[0])?.();
  (await others[1])?.();
  expect(order).toEqual(['second', 'third']);
  expect(clock.pending).toBe(0);
});

test('ends a turn after a second, and its holder does not end the turn of another call', async () => {
  const lane = new ConflictLane(clock);
  const slow = await lane.enter(late(), undefined);
  const next = lane.enter(late(), undefined);
  await clock.advance(1_000);
  const end = await next;
  let third = false;
  const waiting = lane.enter(late(), undefined).then(turn => {
    third = true;
    return turn;
  });
  slow();
  await clock.advance(1);
  expect(third).toBe(false);
  end();
  (await waiting)();
  expect(clock.pending).toBe(0);
});

test('leaves nothing behind of those who give up, come late or are sent away', async () => {
  const lane = new ConflictLane(clock);
  const end = await lane.enter(late(), undefined);
  const caller = new AbortController();
  const ends = Promise.all(
    [
      lane.enter(Deadline.after(100, clock), undefined),
      lane.enter(late(), caller.signal),
      lane.enter(late(), undefined),
    ].map(turn => turn.catch((reason: unknown) => reason)),
  );
  caller.abort('gone');
  await clock.advance(100);
  lane.close('stopped');
  end();
  expect(await ends).toEqual([deadlinePassed, 'gone', 'stopped']);
  await expect(lane.enter(late(), undefined)).rejects.toBe('stopped');
  expect(clock.pending).toBe(0);
});

import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, expect, test, vi } from 'vitest';
import { WaitingRoom, waitedTooLong } from './waiting-room.js';

let clock: FakeClock;
let room: WaitingRoom<string>;

beforeEach(() => {
  clock = new FakeClock();
  room = new WaitingRoom(clock);
});

const until = (ms: number) => Deadline.after(ms, clock);

test('grants to the one who has waited longest', async () => {
  const granted: string[] = [];
  for (const name of ['first', 'second'])
    void room.wait(until(100), undefined).then(value => granted.push(name + value));
  expect(room.grant('!')).toBe(true);
  await clock.advance(0);
  expect(granted).toEqual(['first!']);
  expect(room.size).toBe(1);
});

test('grants nothing when no caller waits', () => {
  expect(room.grant('!')).toBe(false);
});

test('lets each waiter go at its own deadline, with one timer for all', async () => {
  const left: number[] = [];
  for (const ms of [30, 10, 20, 10]) {
    void room.wait(until(ms), undefined).catch(reason => {
      expect(reason).toBe(waitedTooLong);
      left.push(clock.now());
    });
  }
  expect(clock.pending).toBe(1);
  await clock.advance(50);
  expect(left).toEqual([10, 10, 20, 30]);
  expect(clock.pending).toBe(0);
});

test('sets no timer for waiters without a deadline', () => {
  void room.wait(until(Number.POSITIVE_INFINITY), undefined);
  expect(clock.pending).toBe(0);
});

test('an aborted waiter leaves at once and leaves neither timer nor listener', async () => {
  const controller = new AbortController();
  const removed = vi.spyOn(controller.signal, 'removeEventListener');
  const waiting = room.wait(until(100), controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  expect(room.size).toBe(0);
  expect(clock.pending).toBe(0);
  expect(removed).toHaveBeenCalledOnce();
});

test('a waiter that is granted leaves neither timer nor listener', async () => {
  const controller = new AbortController();
  const removed = vi.spyOn(controller.signal, 'removeEventListener');
  const waiting = room.wait(until(100), controller.signal);
  room.grant('go');
  expect(await waiting).toBe('go');
  expect(clock.pending).toBe(0);
  expect(removed).toHaveBeenCalledOnce();
});

test('does not let in who has given up already', async () => {
  await expect(room.wait(until(100), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  expect(room.size).toBe(0);
});

test('sends all away, each with a reason of its own', async () => {
  const waiting = [room.wait(until(100), undefined), room.wait(until(200), undefined)];
  let count = 0;
  room.rejectAll(() => new Error(`reason ${++count}`));
  const reasons = await Promise.allSettled(waiting);
  expect(reasons).toMatchObject([{ reason: { message: 'reason 1' } }, { reason: { message: 'reason 2' } }]);
  expect(clock.pending).toBe(0);
});

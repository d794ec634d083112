import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { WritableWatch } from './writable-watch.js';

describe('a wait for a server that takes writes', () => {
  const setUp = () => {
    const clock = new FakeClock();
    const state = { answer: 'read-only' as 'read-only' | 'anything else', looks: 0 };
    const look = async () => {
      state.looks += 1;
      return state.answer;
    };
    const watch = new WritableWatch({ clock, look, random: () => 0 });
    const wait = (ms: number, signal?: AbortSignal) => {
      const settled = { how: 'waits' as unknown };
      watch.wait(Deadline.after(ms, clock), signal).then(
        () => Object.assign(settled, { how: 'done' }),
        error => Object.assign(settled, { how: error }),
      );
      return settled;
    };
    return { clock, state, wait };
  };

  test('looks once for all who wait, until writes are taken', async () => {
    const { clock, state, wait } = setUp();
    const callers = [wait(5_000), wait(5_000), wait(5_000)];
    await clock.advance(1_000);
    expect(state.looks).toBe(10);
    expect(callers.map(({ how }) => how)).toEqual(['waits', 'waits', 'waits']);
    state.answer = 'anything else';
    await clock.advance(100);
    expect(callers.map(({ how }) => how)).toEqual(['done', 'done', 'done']);
    expect(clock.pending).toBe(0);
  });

  test('ends by the deadline of its caller, and after 2 s for all, as an outage', async () => {
    const { clock, state, wait } = setUp();
    const early = wait(300);
    const late = wait(60_000);
    await clock.advance(300);
    expect(early.how).toMatchObject({ code: 'DATABASE_CONNECT_FAILED', http: { status: 503 } });
    expect(late.how).toBe('waits');
    await clock.advance(1_700);
    expect(late.how).toMatchObject({ code: 'DATABASE_CONNECT_FAILED' });
    const { looks } = state;
    await clock.advance(60_000);
    expect(state.looks).toBe(looks);
    expect(clock.pending).toBe(0);
  });

  test('ends with the reason of its signal', async () => {
    const { clock, wait } = setUp();
    const controller = new AbortController();
    const caller = wait(1_000, controller.signal);
    controller.abort('enough');
    await clock.advance(0);
    expect(caller.how).toBe('enough');
  });
});

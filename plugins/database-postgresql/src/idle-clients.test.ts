import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { IdleClients } from './idle-clients.js';

const timeoutMs = 1_000;

let clock: FakeClock;
let closed: string[];
let kept: number;
let idle: IdleClients<string>;

const make = (timeoutMs: number) =>
  new IdleClients<string>({
    clock,
    timeoutMs,
    mayClose: () => idle.count > kept,
    close: client => closed.push(client),
  });

beforeEach(() => {
  clock = new FakeClock();
  closed = [];
  kept = 0;
  idle = make(timeoutMs);
});

const put = (...clients: string[]) => {
  for (const client of clients) idle.put(client);
};

test('the client that was returned last is lent first', () => {
  put('a', 'b');
  expect([idle.take(), idle.take(), idle.take()]).toEqual(['b', 'a', undefined]);
});

test('a client that is removed is not lent', () => {
  put('a', 'b', 'c');
  expect([idle.remove('b'), idle.remove('b')]).toEqual([true, false]);
  expect([idle.take(), idle.take(), idle.count]).toEqual(['c', 'a', 0]);
});

describe('after its time', () => {
  test('each client is closed, and no other', async () => {
    put('a');
    await clock.advance(600);
    put('b');
    await clock.advance(399);
    expect(closed).toEqual([]);
    await clock.advance(1);
    expect([closed, idle.count]).toEqual([['a'], 1]);
    await clock.advance(600);
    expect([closed, idle.count]).toEqual([['a', 'b'], 0]);
  });

  test('as many as the pool keeps stay, and are closed when there are more', async () => {
    kept = 1;
    put('a', 'b');
    await clock.advance(timeoutMs);
    expect(closed).toEqual(['a']);
    await clock.advance(10 * timeoutMs);
    put('c');
    await clock.advance(timeoutMs);
    expect(closed).toEqual(['a', 'b']);
  });

  test('one that was lent meanwhile has its whole time again', async () => {
    put('a');
    await clock.advance(900);
    idle.put(String(idle.take()));
    await clock.advance(999);
    expect(closed).toEqual([]);
    await clock.advance(1);
    expect(closed).toEqual(['a']);
  });

  test('none is closed with a time of 0', async () => {
    idle = make(0);
    put('a');
    await clock.advance(10_000_000);
    expect(closed).toEqual([]);
  });
});

test('one timer runs while any is idle, and none after all were taken', () => {
  put('a', 'b', 'c');
  expect(clock.pending).toBe(1);
  expect(idle.takeAll()).toEqual(['a', 'b', 'c']);
  expect([clock.pending, idle.count]).toEqual([0, 0]);
});

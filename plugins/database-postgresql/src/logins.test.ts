import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Login, loginIn } from './login.js';
import { LoginChanged, Logins } from './logins.js';

const wrong = Object.assign(new Error('password authentication failed'), { code: '28P01', severity: 'FATAL' });

describe('Logins', () => {
  let clock: FakeClock;
  let inSource: Login;
  let onServer: readonly string[];
  let tried: string[];
  let otherUsers: number;
  let logins: Logins;

  beforeEach(() => {
    clock = new FakeClock();
    inSource = { user: 'app', password: 'one' };
    onServer = ['one'];
    tried = [];
    otherUsers = 0;
    const source = { current: async () => inSource, renewed: async () => inSource };
    logins = new Logins({ source, clock, onOtherUser: () => otherUsers++ });
  });

  const open = async (): Promise<string> => {
    const attempt = await logins.next();
    const { password = '' } = attempt.login;
    tried.push(password);
    if (!onServer.includes(password)) throw await logins.refused(attempt, wrong);
    logins.accepted(attempt);
    return password;
  };
  const connect = () => logins.reach(open);

  test('a wrong login is tried at once, after 1 s, and then after pauses twice as long, up to 30 s', async () => {
    onServer = [];
    const times: number[] = [];
    for (let tenth = 0; tenth < 1_000; tenth++) {
      const before = tried.length;
      await expect(connect()).rejects.toBe(wrong);
      if (tried.length > before) times.push(tenth / 10);
      await clock.advance(100);
    }
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
  });

  test('those that are refused at the same time do not make the pause longer', async () => {
    onServer = [];
    await Promise.allSettled([connect(), connect(), connect()]);
    await clock.advance(1_000);
    await expect(connect()).rejects.toBe(wrong);
    expect(tried).toHaveLength(4);
  });

  test('once it is accepted, its pauses begin with the first again', async () => {
    onServer = [];
    await connect().catch(() => {});
    await clock.advance(1_000);
    onServer = ['one'];
    expect(await connect()).toBe('one');
    onServer = [];
    await connect().catch(() => {});
    tried = [];
    await clock.advance(1_000);
    await connect().catch(() => {});
    expect(tried).toEqual(['one']);
  });

  test('another one in the source is tried at once', async () => {
    await connect();
    onServer = ['two'];
    const attempt = await logins.next();
    inSource = { user: 'app', password: 'two' };
    expect(await logins.refused(attempt, wrong)).toBeInstanceOf(LoginChanged);
    expect(await connect()).toBe('two');
  });

  test('one that the server does not have yet does not keep connections from the one before, and is tried in pauses', async () => {
    await connect();
    inSource = { user: 'app', password: 'two' };
    tried = [];
    for (let tenth = 0; tenth < 100; tenth++) {
      expect(await connect()).toBe('one');
      await clock.advance(100);
    }
    expect(tried.filter(password => password === 'two')).toHaveLength(4);
  });

  test('when the one before is refused as well, the new one is tried at once', async () => {
    await connect();
    inSource = { user: 'app', password: 'two' };
    expect(await connect()).toBe('one');
    onServer = ['two'];
    expect(await connect()).toBe('two');
  });

  test('one that was refused and is in the source again is tried at once', async () => {
    await connect();
    inSource = { user: 'app', password: 'two' };
    onServer = ['two'];
    expect(await connect()).toBe('two');
    inSource = { user: 'app', password: 'one' };
    onServer = ['one'];
    expect(await connect()).toBe('one');
  });

  test('one that was refused before the server got it is tried again when it has it by then', async () => {
    await connect();
    inSource = { user: 'app', password: 'two' };
    const early = await logins.next();
    const old = await logins.next();
    onServer = ['two'];
    expect(await connect()).toBe('two');
    expect(await logins.refused(early, wrong)).toBeInstanceOf(LoginChanged);
    expect(await logins.refused(old, wrong)).toBeInstanceOf(LoginChanged);
    expect(await connect()).toBe('two');
  });

  test('a new one, the one before and the new one again are tried for one connection', async () => {
    await connect();
    inSource = { user: 'app', password: 'two' };
    tried = [];
    // The server gets the new one between the first and the second.
    const opened = logins.reach(async () => {
      if (tried.length === 1) onServer = ['two'];
      return open();
    });
    expect(await opened).toBe('two');
    expect(tried).toEqual(['two', 'one', 'two']);
  });

  test('changes in a row are not hidden in an error of their own', async () => {
    onServer = [];
    let number = 0;
    const numbered = async () => ({ password: String(number++) });
    logins = new Logins({ source: { current: numbered, renewed: numbered }, clock, onOtherUser: () => {} });
    await expect(connect()).rejects.toBe(wrong);
    expect(tried).toHaveLength(3);
  });

  test('reports that the user is another', async () => {
    onServer = ['one', 'two'];
    await connect();
    inSource = { user: 'app', password: 'two' };
    await connect();
    expect(otherUsers).toBe(0);
    inSource = { user: 'other', password: 'two' };
    await connect();
    await connect();
    expect(otherUsers).toBe(1);
  });
});

test.each([
  ['postgresql://u:p%2F%40@db:5432/orders', { user: 'u', password: 'p/@' }],
  ['postgresql://u@/orders', { user: 'u' }],
  ['postgresql://db/orders?user=x&password=y%20z', { user: 'x', password: 'y z' }],
  ['postgresql://u:p@%2Frun%2Fpg:5433/orders?sslmode=disable', { user: 'u', password: 'p' }],
  ['postgresql:///orders', {}],
])('the login in %s', (url, login) => {
  expect(loginIn(url)).toEqual(login);
});

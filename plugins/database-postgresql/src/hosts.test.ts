import { FakeClock, RecordingLogger } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Host } from './host.js';
import type { Target } from './host-list.js';
import { Hosts } from './hosts.js';
import type { ServerRole } from './server-role.js';

const primary: ServerRole = { standby: false, readOnly: false };
const standby: ServerRole = { standby: true, readOnly: true };
const [a, b, c] = ['a', 'b', 'c'].map(host => ({ host, port: 5432 })) as [Host, Host, Host];
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const never = Symbol('never');

describe('Hosts', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let moved: number;
  let asked: string[];
  let servers: Record<string, ServerRole | Error | typeof never>;

  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    moved = 0;
    asked = [];
    servers = { a: primary, b: standby, c: standby };
  });

  const probe = async ({ host }: Host): Promise<ServerRole> => {
    asked.push(host);
    const said = servers[host];
    if (said === undefined || said === never) return new Promise(() => {});
    if (said instanceof Error) throw said;
    return said as ServerRole;
  };
  const create = (hosts: readonly Host[] = [a, b, c], target: Target = 'read-write') =>
    new Hosts({ hosts, target, probe, clock, logger, onMoved: () => moved++ });

  test('one alone is not asked', async () => {
    expect(await create([a]).wanted()).toBe(a);
    expect(asked).toEqual([]);
  });

  test('are asked in order until one suits, and not again', async () => {
    servers = { a: refused, b: primary, c: primary };
    const hosts = create();
    expect(await hosts.wanted()).toBe(b);
    expect(await hosts.wanted()).toBe(b);
    expect(asked).toEqual(['a', 'b']);
  });

  test('callers share a look', async () => {
    const hosts = create();
    expect(await Promise.all([hosts.wanted(), hosts.wanted()])).toEqual([a, a]);
    expect(asked).toEqual(['a']);
  });

  test('one that does not answer has a head start of half a second', async () => {
    servers = { a: never, b: standby, c: primary };
    const found = create().wanted();
    await clock.advance(499);
    expect(asked).toEqual(['a']);
    await clock.advance(1);
    expect(await found).toBe(c);
    expect(clock.pending).toBe(0);
  });

  test('none suits: each is named with its reason, and for a moment no host is asked again', async () => {
    servers = { a: refused, b: standby, c: { standby: false, readOnly: true } };
    const hosts = create();
    const message =
      'No host is read-write: a:5432 accepts no connections (ECONNREFUSED), b:5432 is a standby, c:5432 is read-only.';
    await expect(hosts.wanted()).rejects.toMatchObject({ code: 'DATABASE_CONNECT_FAILED', message });
    await expect(hosts.wanted()).rejects.toMatchObject({ message });
    expect(asked).toHaveLength(3);
    await clock.advance(200);
    servers.b = primary;
    expect(await hosts.wanted()).toBe(b);
  });

  test.each(['28P01', '3D000', '53300'])('a server that answers with %s ends the look', async code => {
    servers.a = Object.assign(new Error('no'), { code, severity: 'FATAL' });
    await expect(create().wanted()).rejects.toBe(servers.a);
    expect(asked).toEqual(['a']);
  });

  test('after a doubt they are asked again; the same answer is not reported', async () => {
    const hosts = create();
    await hosts.wanted();
    hosts.doubt();
    expect(await hosts.wanted()).toBe(a);
    expect(asked).toEqual(['a', 'a']);
    expect({ moved, lines: logger.lines() }).toEqual({ moved: 0, lines: [] });
  });

  test('a loss and a failover are reported once each', async () => {
    const hosts = create();
    await hosts.wanted();
    servers.a = refused;
    for (let look = 0; look < 3; look++) {
      hosts.doubt();
      await expect(hosts.wanted()).rejects.toThrow();
      await clock.advance(200);
    }
    servers.b = primary;
    expect(await hosts.wanted()).toBe(b);
    expect(logger.lines()).toMatchObject([
      { level: 'error', message: 'host lost', facts: { host: 'a:5432' } },
      { level: 'warn', message: 'failover', facts: { from: 'a:5432', to: 'b:5432' } },
    ]);
    expect(moved).toBe(1);
  });

  test('a connection that finds another role there is refused, and the next one goes to the right host', async () => {
    const hosts = create();
    expect(await hosts.wanted()).toBe(a);
    servers = { a: standby, b: primary };
    const went: Host[] = [];
    const connect = async () => {
      const host = await hosts.wanted();
      went.push(host);
      hosts.approve(host, (await probe(host)) as ServerRole);
      return host;
    };
    expect(await hosts.reach(connect)).toBe(b);
    expect(went).toEqual([a, b]);
  });

  test('a connection that was still being opened when another host took over is refused', async () => {
    const hosts = create();
    await hosts.wanted();
    hosts.doubt();
    servers = { a: refused, b: primary };
    await hosts.wanted();
    expect(() => hosts.approve(a, primary)).toThrow('a:5432 is not the wanted server');
  });

  test('a server that is full, or refuses the user, is not doubted for that', async () => {
    const hosts = create();
    await hosts.wanted();
    const full = Object.assign(new Error('too many connections'), { code: '53300', severity: 'FATAL' });
    expect(hosts.failed(a, full)).toBe(full);
    expect(hosts.isFound).toBe(true);
    hosts.failed(a, refused);
    expect(hosts.isFound).toBe(false);
  });

  test('prefer-standby takes any when there is no standby', async () => {
    expect(await create([a, b], 'prefer-standby').wanted()).toBe(b);
    servers.b = refused;
    expect(await create([a, b], 'prefer-standby').wanted()).toBe(a);
  });
});

import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { hostListOf, replicaUrlProblems, targets, urlProblems } from './host-list.js';

/** As URL writes an IPv6 address. */
const shortest = (address: string) => new URL(`x://[${address}]`).hostname.slice(1, -1);
const messages = (given: string | string[]) => urlProblems(given).map(({ message }) => message);

describe('hostListOf', () => {
  test('one host is taken as it is', () => {
    expect(hostListOf('postgresql://u:p@db:5432/orders?sslmode=verify-full')).toEqual({
      urls: ['postgresql://u:p@db:5432/orders?sslmode=verify-full'],
      target: 'any',
    });
  });

  test('several hosts are as many urls, in their order, and the one that takes writes is wanted', () => {
    expect(hostListOf('postgres://u:p@a:1,b,[::1]:3/orders')).toEqual({
      urls: ['postgres://u:p@a:1/orders', 'postgres://u:p@b/orders', 'postgres://u:p@[::1]:3/orders'],
      target: 'read-write',
    });
  });

  test('a list of urls is the same', () => {
    const list = hostListOf(['postgres://u:p@a:1/orders', 'postgres://u:p@b/orders']);
    expect(list).toEqual(hostListOf('postgres://u:p@a:1,b/orders'));
  });

  test.each(targets)('target_session_attrs=%s is taken out of the url', target => {
    const url = `postgresql://u@a,b/orders?connect_timeout=3&target_session_attrs=${target}`;
    expect(hostListOf(url)).toEqual({
      urls: ['postgresql://u@a/orders?connect_timeout=3', 'postgresql://u@b/orders?connect_timeout=3'],
      target,
    });
  });

  test.each([
    ['postgresql:///orders?host=a,b&port=1,2', ['postgresql://a:1/orders', 'postgresql://b:2/orders']],
    ['postgresql:///orders?host=a,b&port=1', ['postgresql://a:1/orders', 'postgresql://b:1/orders']],
    ['postgresql://u@/orders?host=/var/run', ['postgresql://u@%2Fvar%2Frun/orders']],
    ['postgresql:///orders?host=::1', ['postgresql://[::1]/orders']],
    [
      'postgresql:///orders?host=/cloudsql/p:r:i,db&port=1,2',
      ['postgresql://%2Fcloudsql%2Fp%3Ar%3Ai:1/orders', 'postgresql://db:2/orders'],
    ],
  ])('hosts may stand among the parameters: %s', (url, urls) => {
    expect(urlProblems(url)).toEqual([]);
    expect(hostListOf(url).urls).toEqual(urls);
  });

  test('what was written is what pg reads, for each host', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}(\.[a-z]{1,5})?$/);
    const host = fc.oneof(name, fc.ipV4(), fc.ipV6().map(shortest));
    const address = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) });
    const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter(value => value.isWellFormed());
    const account = fc.record({ user: text, password: text, database: name });
    const property = fc.property(
      fc.array(address, { minLength: 1, maxLength: 4 }),
      account,
      fc.constantFrom(...targets),
      (addresses, { user, password, database }, target) => {
        const authority = addresses.map(one => `${one.host.includes(':') ? `[${one.host}]` : one.host}:${one.port}`);
        const url = `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${authority.join(',')}/${database}?target_session_attrs=${target}`;
        expect(urlProblems(url)).toEqual([]);
        const list = hostListOf(url);
        expect(list.target).toBe(target);
        expect(hostListOf(list.urls).urls).toEqual(list.urls);
        const read = list.urls.map(one => new pg.Client(one));
        expect(read.map(({ host, port }) => ({ host, port }))).toEqual(addresses);
        for (const client of read) expect(client).toMatchObject({ user, password, database });
      },
    );
    fc.assert(property);
  });
});

describe('urlProblems', () => {
  test.each([
    ['mysql://u:hunter2@db/orders', 'must be a url like postgresql://user:password@host:5432/database'],
    ['', 'must be a url like postgresql://user:password@host:5432/database'],
    ['postgresql://u:hunter2@a,/orders', 'its host number 2 is empty'],
    ['postgresql://u:hunter2@a:0/orders', 'its host has a port that is not from 1 to 65535'],
    ['postgresql://u:hunter2@a,b:99999/orders', 'its host number 2 has a port that is not from 1 to 65535'],
    [
      'postgresql://u:hunter2@a,b/orders?target_session_attrs=master',
      'target_session_attrs must be one of any, read-write, read-only, primary, standby, prefer-standby',
    ],
    [
      'postgresql://u:hunter2/x@db/orders',
      'special characters in user and password must be percent-encoded: / as %2F, # as %23, ? as %3F, % as %25, a space as %20',
    ],
  ])('%s is refused', (url, message) => {
    expect(messages(url)).toEqual([message]);
  });

  test.each([
    ['sslmode=nonsense', 'sslmode must be one of disable, no-verify, prefer, require, verify-ca, verify-full'],
    ['sslmode=Require', 'sslmode must be one of disable, no-verify, prefer, require, verify-ca, verify-full'],
    [
      'sslmode=require&sslmode=of',
      'sslmode must be one of disable, no-verify, prefer, require, verify-ca, verify-full',
    ],
    ['ssl=false', 'ssl must be one of true, 1, 0, no-verify'],
    ['sslnegotiation=fast', 'sslnegotiation must be one of postgres, direct'],
    ['uselibpqcompat=yes', 'uselibpqcompat must be one of true, false'],
    ['client_encoding=latin1', 'client_encoding must be one of UTF8, UTF-8, utf8, utf-8'],
    ['replication=database', 'replication must be one of false, off, no, 0'],
    ['channel_binding=on', 'channel_binding must be one of disable, prefer, require'],
    ['gssencmode=on', 'gssencmode must be one of disable, prefer, require'],
    ['load_balance_hosts=yes', 'load_balance_hosts must be one of disable, random'],
    ['sslcertmode=on', 'sslcertmode must be one of disable, allow, require'],
  ])('a parameter with a value that it cannot have is refused, with those that it can: %s', (query, message) => {
    expect(messages(`postgresql://u:p@db/orders?${query}`)).toEqual([message]);
    expect(replicaUrlProblems([`postgresql://u:p@db/orders?${query}`])).toEqual([{ index: 0, message }]);
  });

  test.each([
    ['socket:/run/pg?db=orders', 'a unix socket is written postgresql://user@/database?host=/directory&port=5432'],
    ['/run/pg orders', 'a unix socket is written postgresql://user@/database?host=/directory&port=5432'],
    [
      'postgresql:///orders?host=@orders',
      'a host that begins with @ is an abstract socket, which pg cannot open: name a directory',
    ],
    [
      'postgresql:///orders?host=/run/pg/.s.PGSQL.5433',
      'its host must be the directory of the unix socket, without the file .s.PGSQL.5432 in it',
    ],
  ])('a unix socket that cannot be meant so is refused: %s', (url, message) => {
    expect(messages(url)).toEqual([message]);
  });

  test.each([
    'sslmode=require',
    'sslmode=verify-full',
    'sslmode=no-verify',
    'ssl=true',
    'sslnegotiation=direct',
    'sslrootcert=/ca.pem',
    'sslcert=/c.pem&sslkey=/k.pem',
  ])('TLS over a unix socket is refused, with the reason: %s', query => {
    const reason = expect.stringContaining('PostgreSQL does not support TLS over a unix socket');
    expect(messages(`postgresql:///orders?host=/run/pg&${query}`)).toEqual([reason]);
    expect(messages(`postgresql://%2Frun%2Fpg,db/orders?${query}`)).toEqual([reason]);
    expect(replicaUrlProblems([`postgresql://%2Frun%2Fpg/orders?${query}`])).toEqual([{ index: 0, message: reason }]);
    expect(messages(`postgresql://db/orders?${query}`)).toEqual([]);
  });

  test.each(['sslmode=disable', 'sslmode=prefer', 'sslmode=prefer&sslrootcert=/ca.pem', 'ssl=0'])(
    'no TLS over a unix socket is taken: %s',
    query => expect(messages(`postgresql:///orders?host=/run/pg&${query}`)).toEqual([]),
  );

  test.each([
    'sslmode=no-verify',
    'sslmode=',
    'ssl=0',
    'client_encoding=UTF8',
    'sslmode=require&channel_binding=require',
  ])('a parameter with a value that it can have is taken: %s', query =>
    expect(messages(`postgresql://u:p@db/orders?${query}&application_name=anything`)).toEqual([]),
  );

  test('all at once, and nothing of the url among it', () => {
    const problems = messages('postgresql://u:hunter2@a:0,b:x,/orders?target_session_attrs=main');
    expect(problems).toHaveLength(4);
    expect(problems.join()).not.toMatch(/hunter2|main/);
  });

  test('urls of one list may differ in host and port only', () => {
    expect(urlProblems(['postgres://u:p@a/x', 'postgres://u:q@b/x', 'postgres://u:p@c/x'])).toEqual([
      { index: 1, message: 'must be the same as the first url, except for host and port' },
    ]);
  });

  test('a replica has no target', () => {
    expect(replicaUrlProblems(['postgres://u:p@a/x', 'postgres://u:p@b/x?target_session_attrs=any'])).toEqual([
      { index: 1, message: 'target_session_attrs means nothing for a replica' },
    ]);
  });
});

describe('a special character in the password of a url', () => {
  const urlWith = (password: string) => `postgresql://user:${password}@db:5432/orders`;

  test.each([
    'hun/ter2',
    'hun#ter2',
    'hun?ter2',
    '12/34',
    '12#34',
    'a@b/c',
    'hun ter2',
    '50%off',
    '%',
    'a%zz',
    'x%ff',
    '/',
    '#',
  ])('must be percent-encoded, and is not shown: %s', password => {
    for (const given of [urlWith(password), [urlWith(password)]]) {
      const problems = urlProblems(given);
      expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('must be percent-encoded')]);
      expect(JSON.stringify(problems)).not.toContain(urlWith(password));
      expect(JSON.stringify(problems)).not.toMatch(/hun|ter2|off|zz/);
    }
    expect(urlProblems(urlWith(encodeURIComponent(password)))).toEqual([]);
  });

  test.each(['hun@ter2', 'hun:ter2', 'a@b@c', 'hun$ter2'])('that is read as it stands may stand: %s', password => {
    expect(urlProblems(urlWith(password))).toEqual([]);
    const [url = ''] = hostListOf(urlWith(password)).urls;
    expect(new pg.Client(url).password).toBe(password);
    expect(new pg.Client(url).host).toBe('db');
  });

  test('is not looked for in parameters', () => {
    expect(urlProblems('postgresql://db/orders?user=a@b.example')).toEqual([]);
  });
});

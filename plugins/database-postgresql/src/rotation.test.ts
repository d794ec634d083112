import { inspect } from 'node:util';
import { type Credential, type Credentials, type KeelsonError, singleAttempt, systemClock } from '@keelson/core';
import type { DatabaseService } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { applicationRole, type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  createPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { optionsSchema } from './options.js';

/** A source whose credential a test sets; it hands a new one out only when it is asked again, as one that caches does. */
class Vault implements Credentials {
  held: Credential;
  next: Credential;
  asked = 0;

  constructor(credential: Credential) {
    this.held = credential;
    this.next = credential;
  }

  async current(): Promise<Credential> {
    return this.held;
  }

  async renewed(): Promise<Credential> {
    this.asked += 1;
    this.held = this.next;
    return this.held;
  }
}

describe('a password that changes while the service runs', () => {
  let server: PostgresServer;
  let url: string;
  let service: PostgresqlService;
  let database: DatabaseService;
  const shown: unknown[] = [];

  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: 60, log_connections: true } });
    const withPassword = new URL(await server.createDatabase('rotation'));
    withPassword.password = '';
    withPassword.username = '';
    url = withPassword.href;
    for (const user of ['blue', 'green']) {
      await server.query(`create role ${user} login password '${user}-hunter-0' in role ${applicationRole.name}`);
    }
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    for (const user of ['blue', 'green']) {
      await server.query(`alter role ${user} login password '${user}-hunter-0'`);
    }
  });
  afterEach(async () => {
    shown.push(service.logger.lines(), await database.health(), database.stats());
    await service[Symbol.asyncDispose]();
    expect(inspect(shown.splice(0), { depth: 20 })).not.toContain('hunter');
  });

  const open = async (given: Partial<PostgresqlServiceOptions>, options: PostgresqlServiceOptions['options'] = {}) => {
    service = await connectPostgresqlService({ url, ...given, options: { pool: { max: 4 }, ...options } });
    database = service.database;
  };
  const blue = (password = 'blue-hunter-0') => ({ user: 'blue', password });
  const setPassword = (user: string, password: string) => server.query(`alter role ${user} password '${password}'`);
  const user = async () => (await database.session(em => em.execute('select current_user as name')))[0]?.name;
  const failedLogins = () => server.log().split('password authentication failed for user').length - 1;
  /** Every connection is opened again. */
  const reconnect = async () => {
    await server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename in ('blue', 'green')");
  };
  const failureOf = async (work: Promise<unknown>): Promise<KeelsonError> => {
    const error = await work.then(
      () => Promise.reject(new Error('it did not fail')),
      (thrown: unknown) => thrown as KeelsonError,
    );
    shown.push(error);
    return error;
  };

  /** Runs sessions in eight flows until `meanwhile` has ended; returns how many ended well, and the errors of the others. */
  async function underLoad(meanwhile: () => Promise<void>) {
    let runs = 0;
    let isOver = false;
    const failures: unknown[] = [];
    const flow = async () => {
      while (!isOver) {
        await database
          .session(em => em.execute('select pg_sleep(0.005)'))
          .then(
            () => runs++,
            error => failures.push(error),
          );
      }
    };
    const flows = Array.from({ length: 8 }, flow);
    await meanwhile().finally(() => {
      isOver = true;
    });
    await Promise.all(flows);
    return { runs, failures };
  }

  test('a rotation under load fails no session, and the old password is refused from then on', async () => {
    let password = 'blue-hunter-0';
    const options = { user: 'blue', pool: { max: 4, maxLifetimeMs: 100, pingAfterIdleMs: 10_000 } };
    const rereadFiles = async () => optionsSchema.parse({ url, ...options, password });
    await open({ login: { rereadFiles } }, { ...options, password });
    const before = database.stats().counters.opened;
    const { runs, failures } = await underLoad(async () => {
      for (const next of ['blue-hunter-1', 'blue-hunter-2', 'blue-hunter-3']) {
        const { opened } = database.stats().counters;
        // In the file first, on the server later: until then the service logs in with the old one.
        password = next;
        await eventually(() => database.stats().counters.opened > opened + 4);
        await setPassword('blue', next);
        await eventually(() => database.stats().counters.opened > opened + 12);
      }
    });
    expect(failures).toEqual([]);
    expect(runs).toBeGreaterThan(50);
    expect(database.stats().counters.opened).toBeGreaterThan(before + 30);
    await using old = createPostgresqlService({ url, options: blue('blue-hunter-0') });
    expect(await failureOf(old.database.connect())).toMatchObject({ facts: { kind: 'password' } });
  }, 40_000);

  test('two users that take turns under load: the sessions of the old one are ended, and none fails', async () => {
    const vault = new Vault(blue());
    await open({ login: { credentials: vault } }, { pool: { max: 4, maxLifetimeMs: 60_000 } });
    const { runs, failures } = await underLoad(async () => {
      for (const [old, now] of [
        ['blue', 'green'],
        ['green', 'blue'],
        ['blue', 'green'],
      ] as const) {
        await server.query(`alter role ${now} login`);
        vault.next = { user: now, password: `${now}-hunter-0` };
        await server.query(`alter role ${old} nologin`);
        await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${old}'`);
        await eventually(async () => (await user()) === now);
      }
    });
    expect(failures).toEqual([]);
    expect(runs).toBeGreaterThan(20);
    expect(await user()).toBe('green');
    expect(await server.query("select 1 from pg_stat_activity where usename = 'blue'")).toEqual([]);
  }, 40_000);

  test('when the password is refused, the source is asked again before a caller gets an error', async () => {
    const vault = new Vault(blue());
    await open({ login: { credentials: vault } });
    await setPassword('blue', 'blue-hunter-1');
    vault.next = blue('blue-hunter-1');
    await reconnect();
    expect(await user()).toBe('blue');
    expect(vault.asked).toBeGreaterThan(0);
  });

  test('when the source has no other, the error is that of a wrong password; and it is guessed at a bounded pace', async () => {
    const vault = new Vault(blue());
    await open({ retry: singleAttempt(systemClock), login: { credentials: vault } });
    await setPassword('blue', 'blue-hunter-1');
    await reconnect();
    const before = failedLogins();
    const startedAt = performance.now();
    for (let round = 0; round < 30; round++) {
      const failures = await Promise.all(Array.from({ length: 4 }, () => failureOf(user())));
      for (const failure of failures) {
        expect(failure).toMatchObject({
          code: 'DATABASE_CONNECT_FAILED',
          facts: { kind: 'password', sqlState: '28P01' },
        });
      }
    }
    // The first four come together with one for questions; then one each 1 s, 2 s, 4 s.
    const most = 6 + (4 + 1) * Math.log2(2 + (performance.now() - startedAt) / 1_000);
    expect(failedLogins() - before).toBeLessThanOrEqual(most);
    await setPassword('blue', 'blue-hunter-0');
    await eventually(async () => (await user()) === 'blue', { timeoutMs: 15_000, intervalMs: 100 });
  }, 40_000);

  test('a password that the server does not have yet does not keep connections from the old one', async () => {
    const vault = new Vault(blue());
    await open({ login: { credentials: vault } });
    await user();
    vault.held = blue('blue-hunter-1');
    vault.next = vault.held;
    const before = failedLogins();
    for (let round = 0; round < 5; round++) {
      await reconnect();
      expect(await user()).toBe('blue');
    }
    expect(failedLogins() - before).toBeLessThanOrEqual(8);
    await setPassword('blue', 'blue-hunter-1');
    await eventually(
      async () => {
        await reconnect();
        return (await user()) === 'blue';
      },
      { timeoutMs: 15_000, intervalMs: 200 },
    );
  }, 40_000);

  test('replicas, and the look for the wanted one of several hosts, log in as the new user too', async () => {
    const vault = new Vault(blue());
    const hosts = url.replace(`127.0.0.1:${server.port}`, `127.0.0.1:${server.port},localhost:${server.port}`);
    const replicas = { urls: [url], maxLagMs: 'any' as const, checkIntervalMs: 50 };
    await open({ url: hosts, login: { credentials: vault } }, { replicas });
    await eventually(async () => (await database.health()).status === 'pass');
    await server.query('alter role blue nologin');
    vault.next = { user: 'green', password: 'green-hunter-0' };
    await server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'blue'");
    expect(await user()).toBe('green');
    const connected = async () =>
      (
        await server.query<{ name: string }>(
          "select usename || ' ' || application_name as name from pg_stat_activity where usename in ('blue', 'green')",
        )
      ).map(({ name }) => name);
    await eventually(async () => {
      const [row] = await database.read(em => em.execute('select current_user as name'));
      expect(row?.name).toBe('green');
      expect(await database.health()).toMatchObject({ status: 'pass' });
      expect((await connected()).every(name => name.startsWith('green'))).toBe(true);
    });
  });

  test('questions to the server are asked as the new user too', async () => {
    const vault = new Vault(blue());
    await open({ login: { credentials: vault } });
    vault.held = { user: 'green', password: 'green-hunter-0' };
    database.renewConnections();
    expect(await user()).toBe('green');
    expect(await database.health()).toMatchObject({ status: 'pass' });
    const asked = await server.query(
      "select usename from pg_stat_activity where application_name = 'keelson control' and usename <> 'postgres'",
    );
    expect(asked).toEqual([{ usename: 'green' }]);
  });

  test('a question apart is asked with the new password, and as the new user', async () => {
    const vault = new Vault(blue());
    await open({ login: { credentials: vault } });
    const userApart = async () => {
      const [result] = await service.driver.askApart(
        [{ sql: 'select current_user as name' }],
        AbortSignal.timeout(5_000),
      );
      return result?.rows[0]?.name;
    };
    await setPassword('blue', 'blue-hunter-1');
    vault.next = blue('blue-hunter-1');
    expect(await userApart()).toBe('blue');
    vault.held = { user: 'green', password: 'green-hunter-0' };
    database.renewConnections();
    expect(await user()).toBe('green');
    expect(await userApart()).toBe('green');
  });

  test('a statement of the old user that runs long is not taken for lost, as the new user does not see it', async () => {
    const vault = new Vault(blue());
    await open({ login: { credentials: vault } }, { silentAfterMs: 300 });
    let runs = 0;
    const sleeping = database.session(async em => {
      runs += 1;
      return em.execute('select pg_sleep(2.5), current_user as name');
    });
    const looks =
      "select 1 from pg_stat_activity where application_name = 'keelson control' and query like '%wait_event%'";
    await eventually(async () => (await server.query(`${looks} and usename = 'blue'`)).length === 1);
    vault.held = { user: 'green', password: 'green-hunter-0' };
    expect(await Promise.all([user(), user()])).toEqual(['green', 'green']);
    await eventually(async () => (await server.query(`${looks} and usename = 'green'`)).length === 1);
    expect(await sleeping).toMatchObject([{ name: 'blue' }]);
    expect(runs).toBe(1);
  });

  test('a credential that cannot be had is a failure to connect of its own', async () => {
    const vault = new Vault(blue());
    await open({ retry: singleAttempt(systemClock), login: { credentials: vault } });
    vault.current = () => Promise.reject(new Error('hunter-vault is sealed'));
    database.renewConnections();
    await eventually(() => database.stats().total === 0);
    expect(await failureOf(user())).toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: expect.stringContaining('No login for the database is available.'),
      facts: { kind: 'credentials' },
      http: { status: 503 },
    });
  });

  describe('at a reload', () => {
    const optionsOf = (changed: object) => optionsSchema.parse({ url, ...blue(), pool: { max: 4 }, ...changed });

    test('user and password are applied, and no session is interrupted', async () => {
      await open({}, blue());
      const sleeping = database.session(em => em.execute('select pg_sleep(0.3), current_user as name'));
      const running = "select 1 from pg_stat_activity where usename = 'blue' and query like '%pg_sleep(0.3)%'";
      await eventually(async () => (await server.query(running)).length === 1);
      service.driver.reconfigure(optionsOf({ user: 'green', password: 'green-hunter-0' }));
      expect(await sleeping).toMatchObject([{ name: 'blue' }]);
      expect(await user()).toBe('green');
      await eventually(
        async () => (await server.query("select 1 from pg_stat_activity where usename = 'blue'")).length <= 1,
      );
    });

    test('host and port are applied: connections go to the other server', async () => {
      await using other = await startPostgres();
      await other.createDatabase('rotation');
      await other.query("create role blue login password 'blue-hunter-0'");
      await open({}, blue());
      await user();
      service.driver.reconfigure(optionsOf({ url: url.replace(String(server.port), String(other.port)) }));
      const [row] = await database.session(em => em.execute('select inet_server_port() as port'));
      expect(row?.port).toBe(other.port);
      expect(database.address).toBe(`127.0.0.1:${other.port}/rotation`);
      expect(await database.health()).toMatchObject({ status: 'pass' });
    });

    test.each([
      ['another database', (given: string) => given.replace('/rotation', '/postgres')],
      ['other settings of its sessions', (given: string) => `${given}?options=-c%20search_path%3Dother`],
    ])('%s is refused, and nothing changes', async (what, change) => {
      await open({}, blue());
      const reload = () => service.driver.reconfigure(optionsOf({ url: change(url) }));
      expect(reload).toThrow(
        expect.objectContaining({ code: 'DATABASE_RELOAD_REFUSED', message: expect.stringContaining(what) }),
      );
      expect(await user()).toBe('blue');
    });
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AmbiguousCommitError, type DatabaseService } from '@keelson/database';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { Ledger } from '@keelson/test-support/ledger';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { seededNumbers } from '@keelson/test-support/seeded-numbers';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** `SOAK_SESSIONS=200000 npm test -- test/soak.test.ts` is the long form. */
const sessions = Number(process.env.SOAK_SESSIONS ?? 1_500);
const flows = 16;
/** The long form is about many sessions, the short one about many kills. */
const killEveryMs = sessions > 10_000 ? 1_000 : 100;

let server: PostgresServer;
let proxy: TcpProxy;
let service: PostgresqlService;
let directory: string;

beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase('soak');
  await server.query('create table written (key text not null)', [], 'soak');
  await server.query('grant all on written to public', [], 'soak');
  proxy = await startTcpProxy({ to: url });
  service = await connectPostgresqlService({
    url: proxy.url(),
    options: { pool: { max: 8 } },
    models: [],
    logLevel: 'fatal',
  });
  directory = await mkdtemp(join(tmpdir(), 'keelson-soak-'));
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await proxy.dispose();
  await server.dispose();
  await rm(directory, { recursive: true });
});

const write = (em: { execute(sql: string, values: string[]): Promise<unknown> }, key: string) =>
  em.execute('insert into written (key) values (?)', [key]);

/** Ways to use a session; each says whether the write of `key` is done. */
const ways: readonly ((database: DatabaseService, key: string) => Promise<'done' | 'not done'>)[] = [
  async (database, key) => {
    await database.session(em => write(em, key));
    return 'done';
  },
  async (database, key) => {
    await database.session(async em => {
      await write(em, key);
      await database.transaction(inner => inner.execute('select * from nowhere')).catch(() => {});
    });
    return 'done';
  },
  async (database, key) => {
    await database.session(em => write(em, key), { isolation: 'serializable' });
    return 'done';
  },
  async (database, key) => {
    await using session = await database.openSession();
    await write(session.em, key);
    await session.commit();
    return 'done';
  },
  async (database, key) => {
    await using session = await database.openSession();
    await write(session.em, key);
    return 'not done';
  },
  async (database, key) => {
    const failed = database.session(async em => {
      await write(em, key);
      throw new Error('changed its mind');
    });
    await failed.catch(() => {});
    return 'not done';
  },
  async database => {
    await database.read(em => em.execute('select count(*) from written'));
    return 'not done';
  },
  async (database, key) => {
    const controller = new AbortController();
    const aborted = database.session(
      async em => {
        await write(em, key);
        controller.abort();
        await em.execute('select pg_sleep(1)');
      },
      { signal: controller.signal },
    );
    await aborted.catch(() => {});
    return 'not done';
  },
];

test(`${sessions} mixed sessions with random kills end with the ledger equal to the table, no leaked slot and flat memory`, {
  timeout: 60_000 + sessions * 20,
}, async () => {
  const { database } = service;
  using ledger = new Ledger(join(directory, 'ledger'));
  const random = seededNumbers(20_261_123);
  let begun = 0;
  const heapAt: number[] = [];
  const killing = new AbortController();
  const killer = killNowAndThen(random, killing.signal);
  const flow = async () => {
    while (begun < sessions) {
      const number = begun++;
      if (number % Math.ceil(sessions / 10) === 0) heapAt.push(heapUsed());
      const way = ways[Math.floor(random() * ways.length)];
      if (way !== undefined) await record(ledger, `key-${number}`, key => way(database, key));
    }
  };
  await Promise.all(Array.from({ length: flows }, flow));
  killing.abort();
  await killer;

  await untilAtRest(database);
  const [, early = 0] = heapAt;
  const grownBy = heapUsed() - early;
  const rows = await server.query<{ key: string }>('select key from written', [], 'soak');
  const report = ledger.compare(rows.map(({ key }) => key));
  expect(report).toMatchObject({ lost: [], duplicated: [], refusedButStored: [], unknown: [] });
  expect(report.acknowledged).toBeGreaterThan(sessions / 4);
  expect(grownBy).toBeLessThan(20 * 1024 * 1024);
});

async function record(ledger: Ledger, key: string, way: (key: string) => Promise<'done' | 'not done'>): Promise<void> {
  ledger.attempted(key);
  try {
    if ((await way(key)) === 'done') ledger.acknowledged(key);
    else ledger.refused(key);
  } catch (error) {
    if (!(error instanceof AmbiguousCommitError)) ledger.refused(key);
  }
}

/** Backends ended, sockets cut, and connections lost around COMMIT; one at a time. */
async function killNowAndThen(random: () => number, signal: AbortSignal): Promise<void> {
  const kills = [
    () =>
      server.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = 'soak' and pid <> pg_backend_pid() order by random() limit 1`),
    async () => proxy.cut('reset'),
    () => Promise.race([proxy.onceAtCommit('before'), pause(killEveryMs)]),
    () => Promise.race([proxy.onceAtCommit('after'), pause(killEveryMs)]),
  ];
  while (!signal.aborted) {
    await kills[Math.floor(random() * kills.length)]?.();
    await pause(killEveryMs);
  }
}

/** The pace of the killer; nothing waits for it. */
function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}

function heapUsed(): number {
  setFlagsFromString('--expose_gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

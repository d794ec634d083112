import { setTimeout as pause } from 'node:timers/promises';
import type { DatabaseService } from '@keelson/database';
import { createTenantDatabase, Paper, type TenantDatabase } from '@keelson/test-support/tenants';
import { afterAll, beforeAll, expect, test } from 'vitest';

const tenantCount = 40;
const sessionCount = 400;

let tenants: TenantDatabase;
let database: DatabaseService;

beforeAll(async () => {
  tenants = await createTenantDatabase();
  const options = { pool: { max: 6, acquireTimeoutMs: 60_000 }, session: { timeoutMs: 60_000 } };
  database = (await tenants.service(options)).database;
});
afterAll(() => tenants[Symbol.asyncDispose]());

/** The same numbers in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state % below;
  };
}

test('400 sessions of 40 tenants at once, some of which fail: no row of another tenant is seen or stored', {
  timeout: 120_000,
}, async () => {
  const random = randomNumbers(4_711);
  const wrong: unknown[] = [];
  const stored = new Set<string>();
  const failures = new Map<string, number>();
  const look = (tenant: string, rows: readonly { tenant?: string | undefined; title: string }[]) => {
    for (const { title } of rows) if (!title.startsWith(`${tenant}:`)) wrong.push([tenant, title]);
  };
  const ways = ['store', 'store', 'read', 'stream', 'part', 'refused', 'thrown', 'cancelled', 'killed'] as const;

  const run = async (at: number) => {
    const tenant = `tenant-${random(tenantCount)}`;
    const way = ways[random(ways.length)];
    const title = `${tenant}:${at}`;
    const options = { ...tenants.session(tenant), ...(way === 'cancelled' && { timeoutMs: 20 + random(60) }) };
    const readOnly = way === 'read' || way === 'stream';
    const work: Parameters<DatabaseService['session']>[0] = async (em, { attempt }) => {
      if (way === 'stream') {
        for await (const paper of em.stream(Paper, {})) look(tenant, [paper]);
        return;
      }
      look(tenant, await em.find(Paper, {}));
      if (readOnly) return look(tenant, await em.find(Paper, { title: { $like: '%' } }));
      await em.insert(Paper, { title });
      if (way === 'part')
        await database.transaction(inner => inner.insert(Paper, { title })).catch(() => 'a duplicate');
      if (way === 'refused') await em.insert(Paper, { tenant: `not-${tenant}`, title: `${title}-smuggled` });
      if (way === 'thrown') throw new Error('thrown');
      if (way === 'cancelled') await em.execute('select pg_sleep(10)');
      if (way === 'killed' && attempt === 1) {
        const [row] = await em.execute('select pg_backend_pid() as pid');
        await tenants.admin.query('select pg_terminate_backend($1)', [row?.pid]);
      }
      await pause(random(5));
      look(tenant, await em.find(Paper, {}, { refresh: true }));
    };
    try {
      await database.session(work, { ...options, readOnly });
      if (!readOnly) stored.add(title);
    } catch {
      failures.set(way ?? '', (failures.get(way ?? '') ?? 0) + 1);
    }
  };

  await Promise.all(Array.from({ length: sessionCount }, (_, at) => run(at)));

  expect(wrong).toEqual([]);
  expect([...failures.keys()].toSorted()).toEqual(['cancelled', 'refused', 'thrown']);
  const { rows } = await tenants.admin.query<{ tenant: string; title: string }>('select tenant, title from paper');
  expect(rows.filter(({ tenant, title }) => !title.startsWith(`${tenant}:`))).toEqual([]);
  expect(new Set(rows.map(({ title }) => title))).toEqual(stored);
  expect(rows).toHaveLength(stored.size);
});

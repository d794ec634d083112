import { eventually } from '@keelson/test-support/eventually';
import type { PostgresServer } from '@keelson/test-support/postgres-server';
import { databaseName } from './stage.js';

type Query = (sql: string) => Promise<unknown>;

/**
 * The table of orders cannot grow any more: it lies on a file system that is full, or, where that cannot be had, a
 * trigger raises what PostgreSQL does then. Resolves with how to make room.
 */
export function fillDisk(server: PostgresServer): Promise<() => Promise<void>> {
  const query: Query = sql => server.query(sql, [], databaseName);
  return server.smallDisk === undefined ? raise(query) : fill(query, server.smallDisk);
}

async function fill(query: Query, directory: string): Promise<() => Promise<void>> {
  await query(`create tablespace small location '${directory}'`);
  // Few orders on a page, so that it is not long before they need the next.
  await query('alter table orders set (fillfactor = 10)');
  await query('alter table orders set tablespace small');
  await query('create table filler (filling text) tablespace small');
  // In smaller and smaller pieces, up to the last page.
  for (const rows of [10_000, 1_000, 100, 10]) await untilFull(query, rows);
  return async () => {
    await query('drop table filler');
    await query('alter table orders reset (fillfactor)');
    // For the server may be started again, and then the file system is a new one.
    await query('alter table orders set tablespace pg_default');
    await query('drop tablespace small');
  };
}

async function untilFull(query: Query, rows: number): Promise<void> {
  const sql = `insert into filler select repeat(md5(n::text), 30) from generate_series(1, ${rows}) as n`;
  const isFull = () =>
    query(sql).then(
      () => false,
      ({ code }: { code?: string }) => code === '53100',
    );
  await eventually(isFull, { that: 'the disk to be full', timeoutMs: 20_000, intervalMs: 0 });
}

async function raise(query: Query): Promise<() => Promise<void>> {
  await query(`
    create function disk_full() returns trigger language plpgsql as
      $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;
    create trigger disk_full before insert on orders execute function disk_full()`);
  return async () => {
    await query('drop function disk_full cascade');
  };
}

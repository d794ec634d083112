import { CockatielRetryPolicy } from '@keelson/retry-cockatiel';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { createTestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import pg from 'pg';
import { describe, expect, test } from 'vitest';

describe.each([
  { name: 'opossum', retry: () => new OpossumRetryPolicy(), units: 500, innocents: 25 },
  { name: 'cockatiel', retry: () => new CockatielRetryPolicy(), units: 150, innocents: 5 },
])('units that undo each other, on $name', ({ retry, units, innocents }) => {
  test('all succeed at no more than 2 attempts each, and so do units beside them that lose a connection', async () => {
    await using testDatabase = await createTestDatabase();
    await using service = createPostgresqlService({ url: testDatabase.url, retry: retry() });
    const { database } = service;
    const admin = new pg.Client({ connectionString: testDatabase.adminUrl });
    await admin.connect();
    try {
      await admin.query('create table counter (n int); insert into counter values (0); grant all on counter to public');
      await admin.query('create table innocent (n int); grant all on innocent to public');
      await database.connect();
      let attempts = 0;
      let begun = 0;
      const increment = () =>
        database.session(
          async em => {
            attempts++;
            const [{ n } = { n: 0 }] = await em.execute<{ n: number }[]>('select n from counter');
            await em.execute('update counter set n = ?', [n + 1]);
          },
          { isolation: 'serializable' },
        );
      const worker = async () => {
        while (begun++ < units) await increment();
      };
      const innocent = async (n: number) => {
        let killed = false;
        await database.session(async em => {
          await em.execute('insert into innocent values (?)', [n]);
          const [{ pid } = { pid: 0 }] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
          if (!killed) await admin.query('select pg_terminate_backend($1)', [pid]);
          killed = true;
          await em.execute('select 1');
        });
      };
      const beside = async () => {
        for (let n = 0; n < innocents; n++) await innocent(n);
      };
      await Promise.all([beside(), ...Array.from({ length: 16 }, worker)]);
      expect((await admin.query('select n from counter')).rows).toEqual([{ n: units }]);
      expect((await admin.query('select count(*)::int as n from innocent')).rows).toEqual([{ n: innocents }]);
      expect(attempts / units).toBeLessThanOrEqual(2);
      expect(attempts).toBeGreaterThan(units);
    } finally {
      await admin.end();
    }
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ReplicatedPostgres, startReplicatedPostgres } from './replication.js';

describe('startReplicatedPostgres', () => {
  let pair: ReplicatedPostgres;
  beforeEach(async () => {
    pair = await startReplicatedPostgres({ settings: { max_connections: 120 } });
    await pair.primary.query('create table written (id int)');
  });
  afterEach(() => pair.dispose());

  test('the standby shows what the primary has committed, and refuses writes', async () => {
    await pair.primary.query('insert into written values (1)');
    await pair.caughtUp();
    expect(await pair.standby.query('select id from written')).toEqual([{ id: 1 }]);
    await expect(pair.standby.query('insert into written values (2)')).rejects.toMatchObject({ code: '25006' });
  });

  test('lags while replay is paused, and no longer', async () => {
    await pair.caughtUp();
    await pair.pauseReplay();
    await pair.primary.query('insert into written select generate_series(1, 1000)');
    expect(await pair.lagBytes()).toBeGreaterThan(10_000);
    expect(await pair.standby.query('select id from written')).toEqual([]);
    await pair.resumeReplay();
    await pair.caughtUp();
    expect(await pair.lagBytes()).toBeLessThan(10_000);
  });

  test('the primary killed and the standby promoted, writes go on, also after a restart', async () => {
    await pair.primary.query('insert into written values (1)');
    await pair.caughtUp();
    await pair.primary.kill('SIGKILL');
    await pair.promote();
    await pair.standby.query('insert into written values (2)');
    await pair.standby.restart('immediate');
    await pair.standby.query('insert into written values (3)');
    expect(await pair.standby.query('select id from written order by id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  test('the standby follows again when the primary was away', async () => {
    await pair.primary.restart('immediate');
    await pair.primary.query('insert into written values (1)');
    await pair.caughtUp();
    expect(await pair.standby.query('select id from written')).toEqual([{ id: 1 }]);
  });
});

test('with synchronous replication a commit waits for the standby', async () => {
  await using pair = await startReplicatedPostgres({ synchronous: true });
  await pair.standby.stop();
  let isCommitted = false;
  const commit = pair.primary.query('create table waited (id int)').then(() => {
    isCommitted = true;
  });
  const waiting = "select count(*)::int as count from pg_stat_activity where wait_event = 'SyncRep'";
  await expect.poll(() => pair.primary.query(waiting)).toEqual([{ count: 1 }]);
  expect(isCommitted).toBe(false);
  await pair.standby.start();
  await commit;
});

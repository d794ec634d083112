import { expect, test } from 'vitest';
import { startPostgres } from './postgres-server.js';
import { canHaveSmallDisk } from './small-disk.js';

test.skipIf(!(await canHaveSmallDisk()))(
  'a small disk is full before long, and works again when it is emptied',
  async () => {
    await using server = await startPostgres({ smallDisk: true });
    await server.query(`create tablespace small location '${server.smallDisk}'`);
    const create = () => server.query('create table filler (filling text) tablespace small');
    await create();
    const fill = () =>
      server.query('insert into filler select repeat(md5(n::text), 30) from generate_series(1, 100000) as n');
    await expect(fill()).rejects.toMatchObject({ code: '53100' });
    await server.query('drop table filler');
    await create();
    await server.query("insert into filler values ('there is room')");
    expect(await server.query('select filling from filler')).toEqual([{ filling: 'there is room' }]);
  },
);

test('a server that was not asked for one has none', async () => {
  await using server = await startPostgres();
  expect(server.smallDisk).toBeUndefined();
});

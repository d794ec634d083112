import { deepEqual } from 'node:assert/strict';
import type { DatabaseService } from '../database-service.js';
import { eventually, rejection, rejectsWith } from './checks.js';
import type { Requirement } from './harness.js';
import { withRollback } from './with-rollback.js';

const altering: readonly string[] = [
  'set search_path = pg_catalog',
  'set role current_role_of_the_test',
  "set app.tenant = 'another'",
  "select set_config('app.tenant', 'another', false)",
  'set statement_timeout = 54321',
  "set time zone 'Asia/Tokyo'",
  'set default_transaction_read_only = on',
  'select pg_advisory_lock(4711)',
  'create temp table left_behind (id int)',
  'listen left_behind',
  'prepare left_behind as select 1',
  'declare left_behind cursor with hold for select 1',
];

/** All that a session could find of another on its connection. */
const state = `
  select current_setting('search_path') as search_path, current_setting('role') as role,
    coalesce(current_setting('app.tenant', true), '') as tenant,
    current_setting('default_transaction_read_only') as read_only, current_setting('TimeZone') as time_zone,
    (select reset_val = setting from pg_settings where name = 'statement_timeout') as has_own_timeout,
    (select count(*)::int from pg_locks where locktype = 'advisory' and objid = 4711
      and database = (select oid from pg_database where datname = current_database())) as locks,
    (select count(*)::int from pg_class where relname = 'left_behind') as tables,
    (select count(*)::int from pg_listening_channels()) as channels,
    (select count(*)::int from pg_prepared_statements where name = 'left_behind') as prepared,
    (select count(*)::int from pg_cursors where name = 'left_behind') as cursors`;

async function stateOf(database: DatabaseService): Promise<unknown> {
  const [found] = await database.session(em => em.execute(state));
  return found;
}

export const lending: readonly Requirement[] = [
  {
    name: 'lends a connection as it was when it was fresh, whatever the session before has set, and however it ended',
    requires: 'session-state',
    async check({ database }) {
      const fresh = await stateOf(database);
      const [me] = await database.session(em => em.execute('select current_user as name'));
      for (const text of altering) {
        const statement = text.replace('current_role_of_the_test', `"${me?.name}"`);
        const untouched = () => eventually(async () => deepEqual(await stateOf(database), fresh, statement));
        await database.session(async em => void (await em.execute(statement)));
        await untouched();
        await rejection(
          database.session(async em => {
            await em.execute(statement);
            throw new Error('rolled back');
          }),
        );
        await untouched();
        await withRollback(database, async em => void (await em.execute(statement)));
        await untouched();
      }
    },
  },
  {
    name: 'refuses a statement whose state others would get, before it is sent, and the session goes on',
    lacks: 'session-state',
    async check({ database }) {
      const fresh = await stateOf(database);
      for (const statement of altering) {
        await database.session(async em => {
          await rejectsWith(em.execute(statement), 'DATABASE_LASTING_STATE');
          await em.execute('select 1');
        });
        deepEqual(await stateOf(database), fresh, statement);
      }
    },
  },
];

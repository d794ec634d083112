import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { Deadline, systemClock } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseSession } from '../session/database-session.js';
import { addAccount, eventually, rejection, rejectsWith, storedEmails } from './checks.js';
import type { Requirement } from './harness.js';

const soon = () => Deadline.after(10_000, systemClock);

export const connecting: readonly Requirement[] = [
  {
    name: 'connects once for all who ask, and announces each change of state once',
    async check({ open }) {
      const [database] = await open();
      const states: string[] = [];
      database.onStateChange(({ is }, before) => states.push(`${before.is} -> ${is}`));
      await Promise.all([database.connect(), database.connect(), database.connect()]);
      await database.connect();
      equal(database.state.is, 'connected');
      await Promise.all([database.disconnect(), database.disconnect()]);
      await database.disconnect();
      deepEqual(states, ['disconnected -> connecting', 'connecting -> connected', 'connected -> closed']);
    },
  },
  {
    name: 'does not call a listener after it was disposed of',
    async check({ open }) {
      const [database] = await open();
      const states: string[] = [];
      database.onStateChange(({ is }) => states.push(is))[Symbol.dispose]();
      await database.connect();
      deepEqual(states, []);
    },
  },
  {
    name: 'refuses sessions before it is connected, and after it was disconnected',
    async check({ open }) {
      const [database] = await open();
      const everyDoor = () => [database.session(async () => 1), database.read(async () => 1), database.openSession()];
      for (const door of everyDoor()) await rejectsWith(door, 'DATABASE_NOT_CONNECTED');
      await database.connect();
      await database.disconnect();
      for (const door of everyDoor()) await rejectsWith(door, 'DATABASE_CLOSED');
      await rejectsWith(database.connect(), 'DATABASE_CLOSED');
    },
  },
  {
    name: 'can be disconnected when it was never connected',
    async check({ open }) {
      const [database] = await open();
      await database.disconnect();
      equal(database.state.is, 'closed');
    },
  },
  {
    name: 'waits for open sessions when it is disconnected, and lends no further connection',
    async check({ open }) {
      const [database] = await open();
      await ready(database);
      const session = await database.openSession();
      await addAccount(session.em, 'open');
      let ended = false;
      const disconnected = database.disconnect(soon()).then(() => {
        ended = true;
      });
      await rejectsWith(
        database.session(async () => 1),
        'DATABASE_CLOSED',
      );
      equal(ended, false);
      await session.commit();
      equal(session.state, 'committed');
      await disconnected;
    },
  },
  {
    name: 'refuses those who wait for a connection when it is disconnected',
    async check({ open }) {
      const [database] = await open();
      await ready(database);
      const sessions = await exhaust(database);
      const waiting = rejectsWith(
        database.session(em => em.execute('select 1')),
        'DATABASE_CLOSED',
      );
      await eventually(() => equal(database.stats().waiting, 1));
      const disconnected = database.disconnect(soon());
      await waiting;
      await Promise.all(sessions.map(session => session.rollback()));
      await disconnected;
    },
  },
  {
    name: 'disconnects by its deadline, even while a session is open, and that session commits nothing',
    async check({ open }) {
      const [database] = await open();
      await ready(database);
      const session = await database.openSession();
      await addAccount(session.em, 'left open');
      await database.disconnect(Deadline.after(20, systemClock));
      equal(database.state.is, 'closed');
      await rejection(session.commit());
      notEqual(session.state, 'committed');
      deepEqual(database.stats().busy, 0);
    },
  },
  {
    name: 'is healthy, with its latency and its pool, and does not wait behind the work of users',
    async check({ database }) {
      const sessions = await exhaust(database);
      const startedAt = performance.now();
      const health = await database.health();
      ok(performance.now() - startedAt < 2_000, 'health answers at once');
      equal(health.status, 'pass');
      equal(typeof health.facts?.latencyMs, 'number');
      deepEqual(Object.keys(Object(health.facts?.pool)).includes('waiting'), true);
      await Promise.all(sessions.map(session => session.rollback()));
    },
  },
  {
    name: 'reports that it is not healthy instead of rejecting',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      await database.disconnect();
      const health = await database.health();
      equal(health.status, 'fail');
      match(health.output ?? '', /./);
    },
  },
  {
    name: 'lets callers wait for a connection, in turn',
    async check({ database }) {
      const sessions = await exhaust(database);
      const order: number[] = [];
      const waiting = [1, 2, 3].map(number =>
        database.session(async em => {
          await em.execute('select 1');
          order.push(number);
        }),
      );
      await eventually(() => equal(database.stats().waiting, 3));
      for (const session of sessions) await session.commit();
      await Promise.all(waiting);
      if (database.stats().max === 1) deepEqual(order, [1, 2, 3]);
      equal(order.length, 3);
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'lends nothing while it is suspended, and goes on when it is resumed',
    async check({ database }) {
      database.suspend();
      let done = false;
      const waiting = database
        .session(em => addAccount(em, 'patient'))
        .then(() => {
          done = true;
        });
      await eventually(() => equal(database.stats().waiting, 1));
      equal(done, false);
      database.resume();
      await waiting;
      deepEqual(await storedEmails(database), ['patient']);
    },
  },
];

async function ready(database: DatabaseService): Promise<void> {
  await database.connect();
  await database.migrate();
}

/** Sessions that hold every connection there is. */
async function exhaust(database: DatabaseService): Promise<DatabaseSession[]> {
  const { max } = database.stats();
  const sessions = await Promise.all(Array.from({ length: max }, () => database.openSession()));
  await Promise.all(sessions.map(session => session.em.execute('select 1')));
  equal(database.stats().busy, max);
  return sessions;
}

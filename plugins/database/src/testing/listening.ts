import { deepEqual, equal, ok } from 'node:assert/strict';
import type { ChannelEvent } from '../listening/listen-options.js';
import { addAccount, eventually, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const refused = new Error('refused by the work');
let channels = 0;

/** One that no other case uses, with characters that need quotes. */
function newChannel(): string {
  channels += 1;
  return `Conformance "${channels}" ä`;
}

/** What a handler was called with, in a short form: `gap started`, or the payload. */
function recorder() {
  const seen: string[] = [];
  const record = (event: ChannelEvent) => void seen.push(event.is === 'gap' ? `gap ${event.reason}` : event.payload);
  const hears = (...expected: string[]) => eventually(() => deepEqual(seen, ['gap started', ...expected]));
  return { seen, record, hears };
}

/** Stands in for a schema of any library. */
const amount = {
  '~standard': {
    version: 1 as const,
    vendor: 'conformance',
    validate: (value: unknown) =>
      typeof value === 'object' && value !== null && 'amount' in value && typeof value.amount === 'number'
        ? { value: value.amount }
        : { issues: [{ message: 'needs an amount' }] },
  },
};

export const listening: readonly Requirement[] = [
  {
    name: 'refuses to listen without the capability, and says so',
    lacks: 'listen',
    async check({ database }) {
      await rejectsWith(
        database.listen('channel', () => {}),
        'DATABASE_UNSUPPORTED',
      );
    },
  },
  {
    name: 'delivers the messages of a session after its commit, in order, after a first gap',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const { seen, record, hears } = recorder();
      await using _ = await database.listen(channel, record);
      await database.session(async (em, session) => {
        session.notify(channel, 'first');
        await addAccount(em, 'stored');
        session.notify(channel, { second: 2 });
        session.notify(channel);
        deepEqual(
          seen.filter(text => text !== 'gap started'),
          [],
        );
      });
      await hears('first', '{"second":2}', '');
      deepEqual(await storedEmails(database), ['stored']);
    },
  },
  {
    name: 'delivers the message of a session that does nothing else',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const { record, hears } = recorder();
      await using _ = await database.listen(channel, record);
      await database.session(async (_em, session) => session.notify(channel, 'alone'));
      await using session = await database.openSession();
      session.notify(channel, 'opened');
      await session.commit();
      await hears('alone', 'opened');
    },
  },
  {
    name: 'delivers nothing of a session that is rolled back, nor of a part that is undone',
    requires: ['listen', 'savepoints'],
    async check({ database }) {
      const channel = newChannel();
      const { record, hears } = recorder();
      await using _ = await database.listen(channel, record);
      const failing = database.session(async (em, session) => {
        session.notify(channel, 'before the statement');
        await addAccount(em, 'gone');
        session.notify(channel, 'after it');
        throw refused;
      });
      equal(await rejection(failing), refused);
      await database.session(async (em, session) => {
        const part = (text: string, store: boolean, fails: boolean) =>
          database.transaction(async inner => {
            session.notify(channel, text);
            if (store) await addAccount(inner, text);
            session.notify(channel, `${text} again`);
            if (fails) throw refused;
          });
        equal(await rejection(part('undone without a statement', false, true)), refused);
        equal(await rejection(part('undone', true, true)), refused);
        const nested = database.transaction(async () => {
          await part('kept in a part that is undone', false, false);
          throw refused;
        });
        equal(await rejection(nested), refused);
        await part('kept without a statement', false, false);
        await part('kept', true, false);
        await addAccount(em, 'outer');
      });
      await hears('kept without a statement', 'kept without a statement again', 'kept', 'kept again');
      deepEqual(await storedEmails(database), ['kept', 'outer']);
    },
  },
  {
    name: 'delivers a message once when its unit is run again',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const { record, hears } = recorder();
      await using _ = await database.listen(channel, record);
      await database.session(async (em, session) => {
        session.notify(channel, `attempt ${session.attempt}`);
        await addAccount(em, 'stored');
        const conflict = "do $$ begin raise exception 'again' using errcode = '40001'; end $$";
        if (session.attempt < 3) await em.execute(conflict);
      });
      await hears('attempt 3');
    },
  },
  {
    name: 'refuses a message that cannot be sent before anything is sent, and the session goes on',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const { record, hears } = recorder();
      await using _ = await database.listen(channel, record);
      const largest = 'ä'.repeat(3_999);
      await database.session(async (em, session) => {
        const refusedWith = (name: string, payload: unknown) =>
          rejectsWith(
            Promise.resolve().then(() => session.notify(name, payload)),
            name === channel ? 'DATABASE_NOTIFY_REFUSED' : 'DATABASE_CHANNEL_INVALID',
          );
        await refusedWith('', 'x');
        await refusedWith('ä'.repeat(32), 'x');
        await refusedWith(channel, 'ä'.repeat(4_000));
        await refusedWith(channel, 'half \0');
        await refusedWith(channel, 1n);
        await addAccount(em, 'stored');
        session.notify(channel, largest);
      });
      await rejectsWith(
        database.read(async (_em, session) => session.notify(channel, 'read')),
        'DATABASE_NOTIFY_REFUSED',
      );
      await rejectsWith(
        database.listen('x'.repeat(64), () => {}),
        'DATABASE_CHANNEL_INVALID',
      );
      await hears(largest);
    },
  },
  {
    name: 'refuses a message of a session that has ended',
    requires: 'listen',
    async check({ database }) {
      const session = await database.openSession();
      await session.commit();
      await rejectsWith(
        Promise.resolve().then(() => session.notify('late')),
        'DATABASE_SESSION_CLOSED',
      );
    },
  },
  {
    name: 'passes what the schema returns to the handler, and messages that do not fit the schema to onInvalid',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const amounts: unknown[] = [];
      const invalid: string[] = [];
      await using _ = await database.listen(
        channel,
        event => void amounts.push(event.is === 'gap' ? 'gap' : event.payload),
        {
          schema: amount,
          onInvalid: ({ text, issues }) => void invalid.push(`${text}: ${issues[0]?.message}`),
        },
      );
      await database.session(async (_em, session) => {
        session.notify(channel, { amount: 1 });
        session.notify(channel, { amount: 'many' });
        session.notify(channel, 'no JSON');
        session.notify(channel, { amount: 2 });
      });
      await eventually(() => deepEqual(amounts, ['gap', 1, 2]));
      deepEqual(invalid, ['{"amount":"many"}: needs an amount', 'no JSON: The payload is not JSON.']);
      equal(database.listening?.counters.invalid, 2);
    },
  },
  {
    name: 'calls a handler outside of every session, and goes on after it fails',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const sessions: unknown[] = [];
      const listen = () =>
        database.listen(channel, async event => {
          sessions.push(database.currentSession());
          if (event.is === 'gap') throw refused;
          await database.session(em => addAccount(em, event.payload));
        });
      await using _ = await listen();
      await database.session(async (em, session) => {
        em.create(Account, { email: 'sent', balance: 0 });
        session.notify(channel, 'one');
        session.notify(channel, 'two');
      });
      await eventually(async () => deepEqual(await storedEmails(database), ['one', 'sent', 'two']));
      deepEqual(sessions, [undefined, undefined, undefined]);
      ok((database.listening?.counters.failed ?? 0) > 0);
    },
  },
  {
    name: 'still listens after a session whose connection was not lent again',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const { record, hears } = recorder();
      await using _ = await database.listen(channel, record);
      await database.session(em => em.execute("set application_name to 'altered'"));
      await database.session(async (_em, session) => session.notify(channel, 'after'));
      await hears('after');
    },
  },
  {
    name: 'delivers nothing more to a subscription that is closed, and goes on for the others of its channel',
    requires: 'listen',
    async check({ database }) {
      const channel = newChannel();
      const closed = recorder();
      const open = recorder();
      const own = recorder();
      const first = await database.listen(channel, closed.record);
      await using _ = await database.listen(channel, open.record);
      const subscription = await database.listen(channel, async event => {
        own.record(event);
        if (event.is === 'message') await subscription.close();
      });
      await first.close();
      const send = (text: string) => database.session(async (_em, session) => session.notify(channel, text));
      await send('one');
      await open.hears('one');
      await own.hears('one');
      await send('two');
      await open.hears('one', 'two');
      await closed.hears();
      await own.hears('one');
    },
  },
  {
    name: 'refuses to listen inside a session that holds the only connection',
    requires: 'listen',
    lacks: 'multi-connection',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'stored');
        await rejectsWith(
          database.listen(newChannel(), () => {}),
          'DATABASE_UNSUPPORTED',
        );
      });
      deepEqual(await storedEmails(database), ['stored']);
    },
  },
  {
    name: 'delivers nothing more once it is drained, and waits for handlers that run',
    requires: 'listen',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      const channel = newChannel();
      const seen: string[] = [];
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      await database.listen(channel, async event => {
        seen.push(event.is === 'gap' ? event.reason : event.payload);
        if (event.is === 'gap') return;
        await released;
        seen.push('returned');
      });
      await database.session(async (_em, session) => {
        session.notify(channel, 'runs');
        session.notify(channel, 'waits');
      });
      await eventually(() => deepEqual(seen, ['started', 'runs']));
      const disconnected = database.disconnect().then(() => seen.push('disconnected'));
      release();
      await disconnected;
      deepEqual(seen, ['started', 'runs', 'returned', 'disconnected']);
    },
  },
];

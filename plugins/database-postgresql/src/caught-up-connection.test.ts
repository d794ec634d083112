import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import type { BatchOutcome, ConnectionStatus, DriverConnection, Row, Statement } from '@keelson/database';
import { describe, expect, test } from 'vitest';
import { CaughtUpConnection } from './caught-up-connection.js';

const after = { system: '1', timeline: '1', lsn: '0/10' };

type Answer = 'reached' | 'behind' | 'refused' | 'lost';

/** A server that answers the question in turn, the last answer again and again, and writes down what it is asked. */
class Scripted implements DriverConnection {
  status: ConnectionStatus = 'idle';
  readonly asked: string[][] = [];
  isReleased = false;
  readonly #answers: readonly Answer[];
  #questions = 0;

  constructor(...answers: readonly Answer[]) {
    this.#answers = answers;
  }

  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    const results: BatchOutcome['results'][number][] = [];
    this.asked.push(statements.map(({ sql }) => (isQuestion(sql) ? '?' : sql)));
    for (const { sql } of statements) {
      if (sql.startsWith('begin')) this.status = 'in transaction';
      if (sql === 'commit' || sql === 'rollback') this.status = 'idle';
      if (!isQuestion(sql)) {
        results.push({ rows: [{ of: sql }], command: 'SELECT', rowCount: 1 });
        continue;
      }
      const answer = this.#answers[Math.min(this.#questions++, this.#answers.length - 1)];
      if (answer === 'refused' || answer === 'lost') {
        this.status = answer === 'lost' ? 'lost' : this.status === 'idle' ? 'idle' : 'failed transaction';
        const severity = answer === 'lost' ? 'FATAL' : 'ERROR';
        return { results, failure: { error: Object.assign(new Error(answer), { severity, code: '42501' }) } };
      }
      results.push({ rows: [{ reached: answer === 'reached' }], command: 'SELECT', rowCount: 1 });
    }
    return { results };
  }

  async *stream({ sql }: Statement): AsyncIterable<Row[]> {
    this.asked.push([`stream ${sql}`]);
    yield [{ of: sql }];
  }

  copy(): Promise<number> {
    return Promise.resolve(0);
  }

  async cancel(): Promise<void> {}

  release(): void {
    this.isReleased = true;
    this.status = 'lost';
  }

  destroy(): void {
    this.release();
  }
}

function isQuestion(sql: string): boolean {
  return sql.includes('pg_last_wal_replay_lsn');
}

const read: readonly Statement[] = [{ sql: 'begin read only' }, { sql: 'select 1' }, { sql: 'commit' }];

function over(
  replica: Scripted,
  { isReadCommitted = true, catchUpMs = 0, signal = new AbortController().signal } = {},
) {
  const clock = new FakeClock();
  const primary = new Scripted('refused');
  const events: string[] = [];
  const connection = new CaughtUpConnection(replica, {
    after,
    catchUpMs,
    deadline: Deadline.after(10_000, clock),
    signal,
    clock,
    isReadCommitted,
    primary: async () => {
      events.push(replica.isReleased ? 'released before' : 'held beside');
      return primary;
    },
    onBehind: () => events.push('behind'),
  });
  return { connection, primary, events, clock };
}

const of = ({ results }: BatchOutcome) => results.map(({ rows }) => rows[0]?.of);

describe('a connection to a replica that must have caught up', () => {
  test('asks with the first statement, behind BEGIN, and never again', async () => {
    const replica = new Scripted('reached');
    const { connection } = over(replica);
    expect(of(await connection.run(read))).toEqual(['begin read only', 'select 1', 'commit']);
    await connection.run(read);
    expect(replica.asked).toEqual([
      ['begin read only', '?', 'select 1', 'commit'],
      ['begin read only', 'select 1', 'commit'],
    ]);
  });

  test.each([
    ['begin isolation level repeatable read read only', true],
    ['begin isolation level serializable read only deferrable', true],
    ['begin read only', false],
  ])('asks before %s where the transaction has one snapshot (READ COMMITTED by default: %s)', async (begin, is) => {
    const replica = new Scripted('reached');
    const { connection } = over(replica, { isReadCommitted: is });
    await connection.run([{ sql: begin }, { sql: 'select 1' }]);
    expect(replica.asked).toEqual([['?'], [begin, 'select 1']]);
  });

  test('asks behind a BEGIN that says READ COMMITTED, whatever the default is', async () => {
    const replica = new Scripted('reached');
    await over(replica, { isReadCommitted: false }).connection.run([
      { sql: 'begin isolation level read committed read only' },
      { sql: 'select 1' },
    ]);
    expect(replica.asked[0]?.[1]).toBe('?');
  });

  test('asks before a stream', async () => {
    const replica = new Scripted('behind');
    const { connection, primary } = over(replica);
    for await (const rows of connection.stream({ sql: 'rows' }, 1)) expect(rows).toEqual([{ of: 'rows' }]);
    expect(primary.asked).toEqual([['stream rows']]);
  });

  test('drops what a replica that is behind has answered, and gives it back before it takes the primary', async () => {
    const replica = new Scripted('behind');
    const { connection, primary, events } = over(replica);
    expect(of(await connection.run(read.slice(0, 2)))).toEqual(['begin read only', 'select 1']);
    expect(replica.asked).toEqual([['begin read only', '?', 'select 1'], ['rollback']]);
    expect(events).toEqual(['behind', 'released before']);
    expect(primary.asked).toEqual([['begin read only', 'select 1']]);
  });

  test('waits for the replica, and then it answers', async () => {
    const replica = new Scripted('behind', 'behind', 'reached');
    const { connection, events, clock } = over(replica, { catchUpMs: 1_000 });
    const answered = connection.run(read);
    await clock.advance(100);
    expect(of(await answered)).toEqual(['begin read only', 'select 1', 'commit']);
    expect([replica.asked.slice(1), events]).toEqual([[['?'], ['?'], ['begin read only', 'select 1', 'commit']], []]);
  });

  test('asks a server only once that does not know the question', async () => {
    const replica = new Scripted('refused');
    const { connection, primary } = over(replica, { catchUpMs: 1_000 });
    await connection.run(read);
    expect([replica.asked, primary.asked.length]).toEqual([
      [['begin read only', '?', 'select 1', 'commit'], ['rollback']],
      1,
    ]);
  });

  test('reports a connection that is lost as such', async () => {
    const { connection, primary } = over(new Scripted('lost'));
    expect((await connection.run(read)).failure?.error).toMatchObject({ message: 'lost' });
    expect([connection.status, primary.asked]).toEqual(['lost', []]);
  });

  test('waits no longer when its session has ended, and takes no other connection', async () => {
    const controller = new AbortController();
    const { connection, events, clock } = over(new Scripted('behind'), {
      catchUpMs: 60_000,
      signal: controller.signal,
    });
    const answered = connection.run(read);
    await clock.advance(20);
    controller.abort(new Error('over'));
    expect((await answered).failure?.error).toMatchObject({ message: 'over' });
    expect([events, connection.status]).toEqual([[], 'idle']);
  });
});

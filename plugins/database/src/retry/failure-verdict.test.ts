import { describe, expect, test } from 'vitest';
import { unstorable } from '../driver/unstorable.js';
import {
  answerRules,
  endClassRules,
  endRules,
  type FailurePhase,
  judge,
  judgedWithReplicas,
} from './failure-verdict.js';

type Row = readonly [
  sqlState: string,
  acquire: 'retry' | 'final',
  work: 'retry' | 'final',
  commit: 'retry' | 'final',
  availability: 'up' | 'down' | 'unknown',
];

/** What each code must mean, written down a second time so that a change of the table is a decision. */
const answers: readonly Row[] = [
  ['40001', 'retry', 'retry', 'retry', 'up'],
  ['40P01', 'retry', 'retry', 'retry', 'up'],
  ['25006', 'retry', 'retry', 'final', 'up'],
  ['55006', 'retry', 'final', 'final', 'up'],
];

const ends: readonly Row[] = [
  ['53300', 'retry', 'retry', 'final', 'down'],
  ['57P01', 'retry', 'retry', 'final', 'down'],
  ['57P02', 'retry', 'retry', 'final', 'down'],
  ['57P03', 'retry', 'retry', 'final', 'down'],
  ['57P04', 'final', 'final', 'final', 'down'],
  ['57P05', 'retry', 'retry', 'final', 'up'],
  ['25P03', 'retry', 'final', 'final', 'up'],
  ['25P04', 'retry', 'final', 'final', 'up'],
  ['42501', 'final', 'final', 'final', 'down'],
];

/** A code of the class that has no row of its own. */
const classEnds: readonly Row[] = [
  ['08006', 'retry', 'retry', 'final', 'down'],
  ['28P01', 'final', 'final', 'final', 'down'],
  ['3D000', 'final', 'final', 'final', 'down'],
  ['53200', 'retry', 'retry', 'final', 'down'],
  ['58000', 'final', 'final', 'final', 'down'],
];

const phases: readonly FailurePhase[] = ['acquire', 'work', 'commit'];
const failure = (facts: object) => Object.assign(new Error('any message'), facts);

const verdicts = (error: unknown) => phases.map(phase => judge(error, phase));
const expected = ([state, acquire, work, commit, availability]: Row) =>
  [acquire, work, commit].map(decision => ({
    retry: decision === 'retry',
    availability,
    ...(['40001', '40P01'].includes(state) && { conflict: true }),
  }));

describe('an answer of the server', () => {
  for (const row of answers) {
    test(`${row[0]}: acquire ${row[1]}, work ${row[2]}, commit ${row[3]}, server ${row[4]}`, () => {
      expect(verdicts(failure({ code: row[0], severity: 'ERROR' }))).toEqual(expected(row));
    });
  }

  test('never speaks against the server, whatever its code', () => {
    const codes = ['08P01', '08006', '28000', '3D000', '53200', '53300', '57P01', '58030', 'XX000', 'XX001'];
    for (const code of [...codes, '23505', '42P01', '22P02', 'P0001', '40003', '08007']) {
      expect(verdicts(failure({ code, severity: 'ERROR' })), code).toEqual(
        phases.map(() => ({ retry: false, availability: 'up' })),
      );
    }
    expect([...answerRules.values()].map(({ availability }) => availability)).not.toContain('down');
  });

  test('has its row here for every row of the table', () => {
    expect(answers.map(([code]) => code).sort()).toEqual([...answerRules.keys()].sort());
    expect([...answerRules.values(), ...endRules.values()].every(({ why }) => why !== '')).toBe(true);
  });

  test('25006 is a mistake of the work in a session that asked to be read-only, and no failover', () => {
    expect(judge(failure({ code: '25006', severity: 'ERROR' }), 'work', true)).toEqual({
      retry: false,
      availability: 'up',
    });
    expect(judge(failure({ code: '40001', severity: 'ERROR' }), 'work', true)).toEqual({
      retry: true,
      availability: 'up',
      conflict: true,
    });
  });
});

describe('a write refused as read-only', () => {
  const refusedBy = (readOnlyBy: string) => verdicts(failure({ code: '25006', severity: 'ERROR', readOnlyBy }));

  test('by the server to everybody: the only answer that speaks against the server', () => {
    expect(refusedBy('server')).toEqual(expected(['25006', 'retry', 'retry', 'final', 'down']));
  });

  test('by a session that asked for it: final, and the server is well', () => {
    expect(refusedBy('session')).toEqual(expected(['25006', 'final', 'final', 'final', 'up']));
  });
});

describe('an end of the connection by the server', () => {
  for (const row of [...ends, ...classEnds]) {
    test(`${row[0]}: acquire ${row[1]}, work ${row[2]}, commit ${row[3]}, server ${row[4]}`, () => {
      expect(verdicts(failure({ code: row[0], severity: 'FATAL' }))).toEqual(expected(row));
    });
  }

  test('has its row here for every row of the table', () => {
    expect(ends.map(([code]) => code).sort()).toEqual([...endRules.keys()].sort());
    expect(classEnds.map(([code]) => code.slice(0, 2)).sort()).toEqual([...endClassRules.keys()].sort());
  });

  test('for a reason of its own is final, and says nothing of the server', () => {
    for (const code of ['XX000', '42704', '0A000']) {
      expect(verdicts(failure({ code, severity: 'FATAL' }))).toEqual(
        phases.map(() => ({ retry: false, availability: 'unknown' })),
      );
    }
  });
});

test('a value that was never sent says nothing of the server, and is final', () => {
  const error = unstorable([{ sql: "select 'a\0b'" }]);
  expect(verdicts(error)).toEqual(phases.map(() => ({ retry: false, availability: 'unknown' })));
});

describe('a lost connection', () => {
  const losses = [
    failure({ code: 'ECONNREFUSED' }),
    failure({ code: 'ECONNRESET', syscall: 'read' }),
    failure({ code: 'EPIPE', syscall: 'write' }),
    failure({ code: 'EMFILE', syscall: 'connect' }),
    new AggregateError([failure({ code: 'ECONNREFUSED' })]),
    new Error('Connection terminated unexpectedly'),
    new Error('Client has encountered a connection error and is not queryable'),
  ];

  test('is repeated until COMMIT was sent, and never after', () => {
    for (const loss of losses) {
      expect(phases.map(phase => judge(loss, phase))).toEqual([
        { retry: true, availability: 'down' },
        { retry: true, availability: 'down' },
        { retry: false, availability: 'down' },
      ]);
    }
  });
});

test('an error that is not of the database says nothing about it, and is final', () => {
  for (const error of [
    new Error('mine'),
    failure({ code: 'ERR_ASSERTION' }),
    failure({ code: 'ENOENT' }),
    'text',
    undefined,
  ]) {
    for (const phase of phases) expect(judge(error, phase)).toEqual({ retry: false, availability: 'unknown' });
  }
});

test('a server lost under a read that others may answer says nothing of them; that none was reached does', () => {
  const down = { retry: true, availability: 'down' } as const;
  const up = { retry: false, availability: 'up' } as const;
  expect(judgedWithReplicas(down, true)).toEqual({ retry: true, availability: 'unknown' });
  expect(judgedWithReplicas(down, false)).toEqual(down);
  for (const reached of [true, false]) expect(judgedWithReplicas(up, reached)).toEqual(up);
});

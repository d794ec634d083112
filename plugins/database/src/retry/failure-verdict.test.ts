import { describe, expect, test } from 'vitest';
import { type FailurePhase, judge, judgedWithReplicas, sqlStateClassRules, sqlStateRules } from './failure-verdict.js';

type Row = readonly [
  sqlState: string,
  acquire: 'retry' | 'final',
  work: 'retry' | 'final',
  commit: 'retry' | 'final',
  availability: 'up' | 'down' | 'unknown',
];

/** What each code must mean, written down a second time so that a change of the table is a decision. */
const rows: readonly Row[] = [
  ['40001', 'retry', 'retry', 'retry', 'up'],
  ['40P01', 'retry', 'retry', 'retry', 'up'],
  ['40003', 'retry', 'final', 'final', 'unknown'],
  ['08007', 'retry', 'final', 'final', 'unknown'],
  ['55P03', 'final', 'final', 'final', 'up'],
  ['55006', 'retry', 'final', 'final', 'up'],
  ['53300', 'retry', 'retry', 'final', 'down'],
  ['53200', 'retry', 'retry', 'retry', 'down'],
  ['53000', 'retry', 'retry', 'retry', 'down'],
  ['53100', 'final', 'final', 'final', 'up'],
  ['53400', 'final', 'final', 'final', 'up'],
  ['57P01', 'retry', 'retry', 'final', 'down'],
  ['57P02', 'retry', 'retry', 'final', 'down'],
  ['57P03', 'retry', 'retry', 'final', 'down'],
  ['57P05', 'retry', 'retry', 'final', 'up'],
  ['25P03', 'retry', 'final', 'final', 'up'],
  ['25006', 'retry', 'retry', 'final', 'down'],
  ['57014', 'final', 'final', 'final', 'up'],
  ['58000', 'final', 'final', 'final', 'down'],
  ['58030', 'final', 'final', 'final', 'down'],
];

/** A code of the class that has no row of its own. */
const classRows: readonly Row[] = [
  ['08006', 'retry', 'retry', 'final', 'down'],
  ['28P01', 'final', 'final', 'final', 'down'],
  ['3D000', 'final', 'final', 'final', 'down'],
  ['XX000', 'final', 'final', 'final', 'unknown'],
];

const phases: readonly FailurePhase[] = ['acquire', 'work', 'commit'];
const failure = (facts: object) => Object.assign(new Error('any message'), facts);

describe('an error of the server', () => {
  for (const [code, acquire, work, commit, availability] of [...rows, ...classRows]) {
    test(`${code}: ${acquire} before BEGIN, ${work} in the work, ${commit} at COMMIT; the server is ${availability}`, () => {
      const verdicts = phases.map(phase => judge(failure({ code, severity: 'ERROR' }), phase));
      expect(verdicts).toEqual(
        [acquire, work, commit].map(decision => ({ retry: decision === 'retry', availability })),
      );
    });
  }

  test('has a row here when it has one in the table', () => {
    expect(rows.map(([code]) => code).sort()).toEqual([...sqlStateRules.keys()].sort());
    expect(classRows.map(([code]) => code.slice(0, 2)).sort()).toEqual([...sqlStateClassRules.keys()].sort());
    expect([...sqlStateRules.values()].every(({ why }) => why !== '')).toBe(true);
  });

  test('that the table does not know is final, and a sign that the server is well', () => {
    for (const code of ['23505', '42P01', '22P02', 'P0001']) {
      for (const phase of phases) expect(judge(failure({ code }), phase)).toEqual({ retry: false, availability: 'up' });
    }
  });

  test('25006 is a mistake of the work in a session that asked to be read-only, and no failover', () => {
    expect(judge(failure({ code: '25006' }), 'work', true)).toEqual({ retry: false, availability: 'up' });
    expect(judge(failure({ code: '40001' }), 'work', true)).toEqual({ retry: true, availability: 'up' });
  });
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

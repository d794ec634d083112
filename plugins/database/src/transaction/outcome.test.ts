import { describe, expect, test } from 'vitest';
import { SessionAbortedError, TransactionByHandError } from '../errors/session-errors.js';
import { type Failure, isInDoubt, moved, type Outcome, type OutcomeEvent, phaseOf, untouched } from './outcome.js';

type Step = OutcomeEvent | OutcomeEvent['it'];

const by = new SessionAbortedError({ name: 'test', reason: 'deadline' });
const byHand = new TransactionByHandError({ by: 'COMMIT', stored: 'nothing' });
const later = new SessionAbortedError({ name: 'test', reason: 'signal' });
const failure: Failure = {
  error: new Error('refused'),
  verdict: { retry: true, availability: 'up' },
  endedBy: undefined,
};
const error = new Error('no answer');

/** What an event carries, where a test does not say. */
const events: { readonly [It in OutcomeEvent['it']]: Extract<OutcomeEvent, { it: It }> } = {
  'asks for a connection': { it: 'asks for a connection' },
  'has a connection': { it: 'has a connection' },
  'was answered': { it: 'was answered', commitKey: undefined },
  failed: { it: 'failed' },
  'was mended': { it: 'was mended' },
  'starts afresh': { it: 'starts afresh' },
  'lost a part': { it: 'lost a part', cause: error },
  'must not repeat': { it: 'must not repeat', why: 'it pays' },
  'was aborted': { it: 'was aborted', by },
  'was ended by hand': { it: 'was ended by hand', error: byHand, stored: false },
  'sent COMMIT': { it: 'sent COMMIT' },
  'was committed': { it: 'was committed' },
  'was refused': { it: 'was refused' },
  'lost COMMIT': { it: 'lost COMMIT', error, late: false },
  'was found committed': { it: 'was found committed' },
  'was found aborted': { it: 'was found aborted', failure },
  'stays unknown': { it: 'stays unknown', error },
  'rolls back': { it: 'rolls back', failure },
  'is rolled back': { it: 'is rolled back' },
};

function after(...steps: readonly Step[]): Outcome {
  return steps.reduce<Outcome>((now, step) => moved(now, typeof step === 'string' ? events[step] : step), untouched());
}

const open: readonly Step[] = ['asks for a connection', 'has a connection', 'was answered'];
const committing: readonly Step[] = [...open, 'sent COMMIT'];
const inDoubt: readonly Step[] = [...committing, 'lost COMMIT'];

/** A way to each outcome. */
const ways: { readonly [Is in Outcome['is']]: readonly Step[] } = {
  untouched: [],
  reaching: ['asks for a connection'],
  open,
  failed: [...open, 'failed'],
  'cut short': [...open, 'was aborted'],
  'ended by hand': [...open, 'was ended by hand'],
  committing,
  'in doubt': inDoubt,
  committed: [...committing, 'was committed'],
  'rolling back': [...open, 'rolls back'],
  'rolled back': [...open, 'rolls back', 'is rolled back'],
  unknown: [...inDoubt, 'stays unknown'],
};

/** From where an event leads where; from everywhere else it leads nowhere. */
const table: {
  readonly [It in OutcomeEvent['it']]: { readonly [Is in Outcome['is']]?: Outcome['is'] };
} = {
  'asks for a connection': { untouched: 'reaching' },
  'has a connection': { reaching: 'open' },
  'was answered': {},
  failed: { untouched: 'failed', reaching: 'failed', open: 'failed' },
  'was mended': { failed: 'open' },
  'starts afresh': { open: 'reaching', failed: 'reaching' },
  'lost a part': {},
  'must not repeat': {},
  'was aborted': { untouched: 'cut short', reaching: 'cut short', open: 'cut short', failed: 'cut short' },
  'was ended by hand': {
    untouched: 'ended by hand',
    reaching: 'ended by hand',
    open: 'ended by hand',
    failed: 'ended by hand',
  },
  'sent COMMIT': { open: 'committing' },
  'was committed': { untouched: 'committed', open: 'committed', committing: 'committed' },
  'was refused': { committing: 'failed' },
  'lost COMMIT': { committing: 'in doubt' },
  'was found committed': { 'in doubt': 'committed' },
  'was found aborted': { 'in doubt': 'rolling back' },
  'stays unknown': { 'in doubt': 'unknown' },
  'rolls back': {
    untouched: 'rolling back',
    reaching: 'rolling back',
    open: 'rolling back',
    failed: 'rolling back',
    'cut short': 'rolling back',
    'ended by hand': 'rolling back',
  },
  'is rolled back': { 'rolling back': 'rolled back' },
};

describe('an outcome', () => {
  const all = Object.keys(ways) as Outcome['is'][];

  test.each(all)('%s is reached', is => {
    expect(after(...ways[is]).is).toBe(is);
  });

  for (const it of Object.keys(table) as OutcomeEvent['it'][]) {
    test.each(all.map(from => ({ from, to: table[it][from] ?? from })))(
      `that ${it} goes from $from to $to`,
      ({ from, to }) => {
        expect(after(...ways[from], it).is).toBe(to);
      },
    );
  }
});

describe('what an outcome keeps', () => {
  test('the id of its transaction, once it is known', () => {
    const known = after(...open, { it: 'was answered', commitKey: '42' }, 'was answered', 'sent COMMIT', 'lost COMMIT');
    expect(known).toMatchObject({ is: 'in doubt', commitKey: '42', error, late: false });
  });

  test('no id, and no answer, of a connection that it gave up', () => {
    const afresh = after(...open, { it: 'was answered', commitKey: '42' }, 'failed', 'starts afresh');
    expect(afresh).toMatchObject({ is: 'reaching', commitKey: undefined, answered: false, reached: true });
  });

  test('whether its last try got a connection', () => {
    expect(after(...open).reached).toBe(true);
    expect(after(...open, 'failed', 'starts afresh', 'asks for a connection', 'failed').reached).toBe(false);
  });

  test('the same outcome, when a statement is answered like the one before', () => {
    const now = after(...open);
    expect(moved(now, events['was answered'])).toBe(now);
  });

  test('the first reason not to run again, and the first part that failed', () => {
    const other = { it: 'must not repeat', why: 'something else' } as const;
    expect(after('must not repeat', other, ...inDoubt).notRepeated).toBe('it pays');
    const part = { it: 'lost a part', cause: 'another' } as const;
    expect(after('lost a part', part).partFailed).toEqual({ cause: error });
  });

  test('that it must not run again, also when that is reported after it has failed', () => {
    expect(after(...ways['rolled back'], 'must not repeat').notRepeated).toBe('it pays');
  });

  test('what aborted it first, and nothing that came after COMMIT was sent', () => {
    expect(after(...open, 'was aborted', { it: 'was aborted', by: later }).abortedBy).toBe(by);
    expect(after(...open, 'was ended by hand', 'was aborted').abortedBy).toBeUndefined();
    expect(after(...committing, 'was aborted').abortedBy).toBeUndefined();
  });

  test('its first failure; one without any takes the reason that its work gives later', () => {
    const none = { it: 'rolls back', failure: undefined } as const;
    expect(after(...open, none, 'is rolled back', 'rolls back')).toMatchObject({ is: 'rolled back', failure });
    const other = { it: 'rolls back', failure: { ...failure, error: 'another' } } as const;
    expect(after(...open, 'rolls back', other)).toMatchObject({ is: 'rolling back', failure });
  });
});

describe('a failure', () => {
  test('is at `acquire` until BEGIN is answered, at `work` until COMMIT is sent, at `commit` after', () => {
    const unanswered: readonly Step[] = ['asks for a connection', 'has a connection'];
    for (const way of [[], unanswered]) expect(phaseOf(after(...way))).toBe('acquire');
    expect(phaseOf(after(...unanswered, 'failed'))).toBe('acquire');
    expect(phaseOf(after(...open))).toBe('work');
    expect(phaseOf(after(...open, 'failed'))).toBe('work');
    expect(phaseOf(after(...committing))).toBe('commit');
    expect(phaseOf(after(...committing, 'was refused'))).toBe('commit');
  });

  test('that a savepoint takes back leaves what there was before', () => {
    expect(after('asks for a connection', 'failed', 'was mended').is).toBe('untouched');
    expect(after(...committing, 'was refused', 'was mended').is).toBe('failed');
  });
});

describe('a unit that its own work ended', () => {
  test('is never called rolled back when some of it may be stored', () => {
    const stored = { it: 'was ended by hand', error: byHand, stored: true } as const;
    expect(after(...open, stored, 'rolls back', 'is rolled back')).toMatchObject({ is: 'unknown', error: byHand });
  });
});

describe('a unit that was cut short', () => {
  test('may be committed when it had done nothing', () => {
    expect(after('was aborted', 'was committed').is).toBe('committed');
    expect(after('asks for a connection', 'was aborted', 'was committed').is).toBe('cut short');
  });
});

test('COMMIT is in doubt from when it is sent until its fate is known', () => {
  const doubtful = (Object.keys(ways) as Outcome['is'][]).filter(is => isInDoubt(after(...ways[is])));
  expect(doubtful).toEqual(['committing', 'in doubt', 'unknown']);
});

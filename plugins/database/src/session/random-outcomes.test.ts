import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AmbiguousCommitError } from '../errors/ambiguous-commit-error.js';
import { SessionAbortedError, TransactionByHandError } from '../errors/session-errors.js';
import { type Failure, moved, type Outcome, type OutcomeEvent, untouched } from '../transaction/outcome.js';
import { callbacksOf, errorOf, stateOf, verdictOf } from './read-outcome.js';

/** What is true of a unit, as one who sees both the server and the owner would note it down. */
interface World {
  /** Statements may run. */
  usable: boolean;
  asked: boolean;
  connected: boolean;
  failed: boolean;
  /** It ended before its owner knew, and had done nothing. */
  harmless: boolean;
  commit: 'not sent' | 'sent' | 'refused' | 'lost';
  /** `in part`: the work itself has committed some of it. */
  fate: 'open' | 'stored' | 'gone' | 'unknowable' | 'in part';
  committedByHand: boolean;
  /** What the one who judged the failure said: it left nothing behind. */
  failure: Failure | undefined;
  forbidden: boolean;
}

function begin(): World {
  return {
    usable: true,
    asked: false,
    connected: false,
    failed: false,
    harmless: false,
    commit: 'not sent',
    fate: 'open',
    committedByHand: false,
    failure: undefined,
    forbidden: false,
  };
}

/** Notes what `event` changes in the world; most that comes at the wrong time changes nothing. */
function note(world: World, event: OutcomeEvent): void {
  const { usable, connected, failed, asked, commit, fate } = world;
  const lost = commit === 'lost' && fate === 'open';
  switch (event.it) {
    case 'asks for a connection':
      if (usable && !connected) Object.assign(world, { asked: true, failed: false });
      break;
    case 'has a connection':
      if (usable && asked && !failed) world.connected = true;
      break;
    case 'failed':
      if (usable) world.failed = true;
      break;
    case 'was mended':
      if (usable && failed) Object.assign(world, { failed: false, asked: connected });
      break;
    case 'starts afresh':
      if (usable && (asked || failed)) Object.assign(world, { connected: false, failed: false, asked: true });
      break;
    case 'must not repeat':
      world.forbidden = true;
      break;
    case 'was ended by hand':
      if (usable) Object.assign(world, { usable: false, committedByHand: event.stored });
      break;
    case 'was aborted':
      if (usable) Object.assign(world, { usable: false, harmless: !asked && !failed });
      break;
    case 'sent COMMIT':
      if (usable && connected && !failed) Object.assign(world, { usable: false, commit: 'sent' });
      break;
    case 'was committed': {
      const nothingToLose = world.harmless || (usable && !failed && asked === connected);
      if (fate === 'open' && (commit === 'sent' || nothingToLose))
        Object.assign(world, { usable: false, fate: 'stored' });
      break;
    }
    case 'was refused':
      if (commit === 'sent' && fate === 'open') world.commit = 'refused';
      break;
    case 'lost COMMIT':
      if (commit === 'sent' && fate === 'open') world.commit = 'lost';
      break;
    case 'was found committed':
      if (lost) world.fate = 'stored';
      break;
    case 'was found aborted':
      if (lost) Object.assign(world, { fate: 'gone', failure: event.failure });
      break;
    case 'stays unknown':
      if (lost) world.fate = 'unknowable';
      break;
    case 'rolls back':
      if (world.committedByHand) world.fate = 'in part';
      else if (fate === 'open' && (commit === 'not sent' || commit === 'refused'))
        Object.assign(world, { usable: false, harmless: false, fate: 'gone', failure: event.failure });
      else if (fate === 'gone') world.failure ??= event.failure;
      break;
    case 'was answered':
    case 'lost a part':
    case 'is rolled back':
      break;
  }
}

const by = new SessionAbortedError({ name: 'test', reason: 'deadline' });
const byHand = new TransactionByHandError({ by: 'COMMIT', stored: 'unknown' });
const end = {
  name: 'test',
  sessionId: 's-1',
  error: new Error('the policy gave up'),
  reason: 'deadline',
  proof: 'none',
} as const;

const failures: fc.Arbitrary<Failure> = fc.boolean().map(retry => ({
  error: new Error('why'),
  verdict: { retry, availability: 'up' },
  endedBy: undefined,
}));

const anyEvent: fc.Arbitrary<OutcomeEvent> = fc.oneof(
  fc.constantFrom<OutcomeEvent>(
    { it: 'asks for a connection' },
    { it: 'has a connection' },
    { it: 'was answered', commitKey: '42' },
    { it: 'failed' },
    { it: 'was mended' },
    { it: 'starts afresh' },
    { it: 'lost a part', cause: undefined },
    { it: 'was aborted', by },
    { it: 'was committed' },
    { it: 'was refused' },
    { it: 'was found committed' },
    { it: 'is rolled back' },
    { it: 'must not repeat', why: 'it pays' },
    {
      it: 'stays unknown',
      error: new AmbiguousCommitError({ name: 'test', why: 'silence', proof: 'none' }, undefined),
    },
  ),
  fc.constant<OutcomeEvent>({ it: 'sent COMMIT' }),
  fc.boolean().map((stored): OutcomeEvent => ({ it: 'was ended by hand', error: byHand, stored })),
  fc.boolean().map((late): OutcomeEvent => ({ it: 'lost COMMIT', error: new Error('lost'), late })),
  failures.map((failure): OutcomeEvent => ({ it: 'was found aborted', failure })),
  fc.option(failures, { nil: undefined }).map((failure): OutcomeEvent => ({ it: 'rolls back', failure })),
);

/** The way of most units, so that every sequence has a chance to get far; strays come between. */
const usual: readonly OutcomeEvent[] = [
  { it: 'asks for a connection' },
  { it: 'has a connection' },
  { it: 'was answered', commitKey: '42' },
  { it: 'sent COMMIT' },
];

const sequences = fc
  .tuple(fc.nat({ max: usual.length }), fc.array(anyEvent, { maxLength: 3 }), fc.array(anyEvent, { maxLength: 12 }))
  .map(([length, before, after]) => [...before, ...usual.slice(0, length), ...after]);

function check(world: World, outcome: Outcome): void {
  const state = stateOf(outcome);
  const verdict = verdictOf(outcome);
  const error = errorOf(outcome, end);
  const inDoubt = world.fate === 'unknowable' || (world.fate === 'open' && ['sent', 'lost'].includes(world.commit));
  expect(state === 'committed', 'committed if, and only if, that is certain').toBe(world.fate === 'stored');
  expect(state === 'rolled back', 'rolled back if, and only if, nothing is stored').toBe(world.fate === 'gone');
  expect(state === 'unknown').toBe(world.fate === 'unknowable' || world.fate === 'in part');
  const mayRepeat = world.fate === 'gone' && world.failure?.verdict.retry === true && !world.forbidden;
  expect(verdict.retry, 'run again only when nothing is stored').toBe(mayRepeat);
  expect(error instanceof AmbiguousCommitError, 'ambiguous as long as it is in doubt').toBe(inDoubt);
  const called = {
    stored: 'onCommit',
    gone: 'onRollback',
    open: undefined,
    unknowable: undefined,
    'in part': undefined,
  };
  expect(callbacksOf(outcome)).toBe(called[world.fate]);
}

test('whatever happens, and in whatever order, an outcome says what is true of its unit', () => {
  fc.assert(
    fc.property(sequences, events => {
      const world = begin();
      let outcome = untouched();
      check(world, outcome);
      for (const event of events) {
        note(world, event);
        outcome = moved(outcome, event);
        check(world, outcome);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('what is certain of a unit stays so', () => {
  const final = new Set<Outcome['is']>(['committed', 'rolled back', 'unknown']);
  fc.assert(
    fc.property(sequences, events => {
      let outcome = untouched();
      for (const event of events) {
        const before = outcome;
        outcome = moved(outcome, event);
        if (final.has(before.is)) expect(outcome.is).toBe(before.is);
        if (before.notRepeated !== undefined) expect(verdictOf(outcome).retry).toBe(false);
      }
    }),
    { numRuns: 3_000 },
  );
});

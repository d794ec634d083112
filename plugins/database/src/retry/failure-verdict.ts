import { type FailureVerdict, isKeelsonError } from '@keelson/core';
import { connectFailureOf } from '../errors/connect-failure.js';
import { originOf } from '../errors/fault-origin.js';
import { isAnswer, isConnectionLoss, isStalePlan, sqlStateOf } from '../errors/sql-state.js';

/**
 * How far the transaction had come: `acquire` until BEGIN was answered, `work` until COMMIT was sent, `commit` after.
 * After COMMIT was sent, a lost connection says nothing about whether it was done.
 */
export type FailurePhase = 'acquire' | 'work' | 'commit';

type Rule = { readonly [phase in FailurePhase]: 'retry' | 'final' } & {
  readonly availability: FailureVerdict['availability'];
  readonly why: string;
};

const rule = (
  acquire: Rule['acquire'],
  work: Rule['work'],
  commit: Rule['commit'],
  availability: Rule['availability'],
  why: string,
): Rule => ({ acquire, work, commit, availability, why });

/**
 * SQLSTATE of an answer -> what may be done: severity ERROR, the server refused a statement and goes on. An answer is a
 * proof of life, whatever it says, so it never speaks against the server: else the input of one caller that makes the
 * server answer so would be an outage for all others. What is not in the table is final: the same statement would be
 * answered in the same way.
 *
 * Sources of both tables: PostgreSQL 18 manual, appendix A (codes) and 13.5 (serialization failures); what other drivers
 * treat as transient. An answer to COMMIT is definite but for 08007 and 40003: the server rolled back.
 */
export const answerRules: ReadonlyMap<string, Rule> = new Map([
  ['40001', rule('retry', 'retry', 'retry', 'up', 'serialization failure: the server undid it')],
  ['40P01', rule('retry', 'retry', 'retry', 'up', 'deadlock: the server undid it')],
  ['25006', rule('retry', 'retry', 'final', 'up', 'read-only server: a failover left us on a standby')],
  ['55006', rule('retry', 'final', 'final', 'up', 'object in use')],
]);

/** The server undid one transaction for the sake of another. */
const conflictStates: ReadonlySet<string> = new Set(['40001', '40P01']);

/**
 * SQLSTATE of an end -> what may be done: severity FATAL or PANIC, the server ended the connection, or gave none. A
 * connection lost after COMMIT was sent is never judged here: its outcome is looked up first.
 */
export const endRules: ReadonlyMap<string, Rule> = new Map([
  ['53300', rule('retry', 'retry', 'final', 'down', 'too many connections')],
  ['57P01', rule('retry', 'retry', 'final', 'down', 'admin shutdown')],
  ['57P02', rule('retry', 'retry', 'final', 'down', 'crash shutdown')],
  ['57P03', rule('retry', 'retry', 'final', 'down', 'cannot connect now: starting, stopping or in recovery')],
  ['57P04', rule('final', 'final', 'final', 'down', 'the database was dropped')],
  ['57P05', rule('retry', 'retry', 'final', 'up', 'idle session timeout ended the connection')],
  [
    '25P03',
    rule('retry', 'final', 'final', 'up', 'idle in transaction timeout: the work is too slow between statements'),
  ],
  ['25P04', rule('retry', 'final', 'final', 'up', 'transaction timeout: the work is too slow')],
  ['42501', rule('final', 'final', 'final', 'down', 'the user may not connect')],
]);

/** SQLSTATE classes of ends, for codes without a row of their own. */
export const endClassRules: ReadonlyMap<string, Rule> = new Map([
  ['08', rule('retry', 'retry', 'final', 'down', 'connection exception')],
  ['28', rule('final', 'final', 'final', 'down', 'invalid authorization: retrying cannot help')],
  ['3D', rule('final', 'final', 'final', 'down', 'no such database')],
  ['53', rule('retry', 'retry', 'final', 'down', 'insufficient resources for one more connection')],
  ['58', rule('final', 'final', 'final', 'down', 'system error')],
]);

const lost = rule('retry', 'retry', 'final', 'down', 'connection lost');
const refused = rule('final', 'final', 'final', 'down', 'no connection is possible, and retrying cannot help');
const definite = rule('final', 'final', 'final', 'up', 'the server answered: only the statement failed');
/** Not the input of one caller: each write is refused, so calls wait for the server instead of spending the budget. */
const readOnlyServer = rule('retry', 'retry', 'final', 'down', 'the server reports that it is read-only');
/** By what a driver leaves on a refused write as `readOnlyBy`. */
const readOnlyRules: ReadonlyMap<unknown, Rule> = new Map([
  ['server', readOnlyServer],
  ['session', definite],
]);
const stale = rule('retry', 'retry', 'final', 'up', 'a prepared statement is stale: it is parsed again');
const unclear = rule('final', 'final', 'final', 'unknown', 'the server ended the connection for a reason of its own');
const notOurs = rule('final', 'final', 'final', 'unknown', 'not from the server');

/** The row of the tables that an error of a driver falls under. */
function ruleOf(error: unknown): Rule {
  if (isKeelsonError(error, 'DATABASE_CONNECT_FAILED')) return lost;
  if (error instanceof Error && 'unsent' in error) return notOurs;
  if (connectFailureOf(error)?.final === true) return refused;
  const state = sqlStateOf(error);
  if (state === undefined) return isConnectionLoss(error) ? lost : notOurs;
  if (isStalePlan(error)) return stale;
  if (isAnswer(error))
    return readOnlyRules.get(Reflect.get(Object(error), 'readOnlyBy')) ?? answerRules.get(state) ?? definite;
  const end = endRules.get(state) ?? endClassRules.get(state.slice(0, 2));
  if (end !== undefined) return end;
  return isConnectionLoss(error) ? unclear : (answerRules.get(state) ?? definite);
}

/** Where a failure was met: how far the transaction had come, and whose database it runs on. */
export interface FailureSite {
  readonly phase: FailurePhase;
  readonly readOnly: boolean;
  readonly driver: object;
}

/**
 * The verdict on whatever the work of a unit threw. Only what came out of the unit's own driver is a failure of its
 * database; another database's, or a foreign error that looks like one, is the work's own.
 */
export function judgeWork(error: unknown, { phase, readOnly, driver }: FailureSite): FailureVerdict {
  return originOf(error) === driver ? judge(error, phase, readOnly) : { retry: false, availability: 'unknown' };
}

/**
 * Whether the whole unit may run again, on a fresh fork and connection, and what the failure says about the server.
 * `error` is known to be the driver's.
 */
export function judge(error: unknown, phase: FailurePhase, readOnly = false): FailureVerdict {
  // A write that a read-only session itself refuses (25006) is a mistake in the work, not a failover.
  const { availability, [phase]: decision } = readOnly && sqlStateOf(error) === '25006' ? definite : ruleOf(error);
  const conflict = decision === 'retry' && conflictStates.has(sqlStateOf(error) ?? '');
  return { retry: decision === 'retry', availability, ...(conflict && { conflict }) };
}

/**
 * The verdict on an attempt that was ended while no caller got an answer: only a server that had been asked kept silent,
 * not one that was still waited for behind others.
 */
export function judgeSilence({ reached, answered }: { reached: boolean; answered: boolean }): FailureVerdict {
  return { retry: false, availability: reached && !answered ? 'down' : 'unknown' };
}

/** True for what a retry policy asks about when an attempt was ended rather than failed. */
export function isSilence(error: unknown): boolean {
  return isKeelsonError(error, 'RETRY_ATTEMPT_TIMEOUT');
}

/**
 * The verdict on a failure of what several servers may answer: that one of them was lost under it says nothing of the
 * others; that none could be `reached` does.
 */
export function judgedWithReplicas(verdict: FailureVerdict, reached: boolean): FailureVerdict {
  return verdict.availability === 'down' && reached ? { ...verdict, availability: 'unknown' } : verdict;
}

import { isKeelsonError } from '@keelson/core';
import type { Request } from '../clients/request.ts';
import { partCount } from '../clients/unit-work.ts';
import type { Workload } from '../scenario/scenario.ts';
import type { Stage } from '../scenario/stage.ts';
import type { World } from '../world/world.ts';
import { checkOrder, writersOf } from './check-order.ts';
import { frozenMs } from './frozen-ms.ts';

/** A caller may wait this much longer than its deadline, in ms: turns of the event loop take no time here. */
const lateMs = 100;
/** A timer may fire this much before its time, in ms: Node counts whole milliseconds. */
const earlyMs = 2;

/** What must be true of all requests and of what is stored, when nothing runs any more. */
export function checkHistory(world: World, stage: Stage, requests: readonly Request[]): void {
  checkAnswers(world, stage, requests);
  checkLedger(world, stage, requests);
  checkParts(world, stage, requests);
  checkLists(world, stage, requests);
  checkDoubts(world, stage, requests);
  checkRefusals(world, stage, requests);
  checkOrder(world, stage, requests);
}

/** Refusals that say that the code of a caller is wrong, which it is not. */
const neverRight = new Set([
  'DATABASE_CONCURRENT_USE',
  'DATABASE_SESSION_CLOSED',
  'DATABASE_TRANSACTION_BY_HAND',
  'DATABASE_SECOND_CONNECTION',
  'DATABASE_WORK_UNDONE',
]);

/** Of parts that run at the same time, one takes back what another has done, which is then refused. */
const isOwnFault = new Set<Workload>(['parts', 'end by hand']);

/** Their own errors come out; by hand, errors are those of MikroORM until the session ends. */
const failingByItself = new Set<Workload>(['fail', 'bulk fails', 'by hand']);

/** Refusals that need a fault. */
const needingFault = new Set([
  'DATABASE_CONNECTION_LOST',
  'DATABASE_CONNECT_FAILED',
  'RETRY_CIRCUIT_OPEN',
  'DATABASE_AMBIGUOUS_COMMIT',
]);

/** Each refusal says what it is, is not about what another caller did, and needs a reason. */
function checkRefusals(world: World, { scenario }: Stage, requests: readonly Request[]): void {
  const isWell = scenario.faults.length === 0 && scenario.server.maxConnections > 50;
  for (const { unit, workload, answer, hungUpAtMs, answeredAtMs, deadlineAtMs } of requests) {
    if (answer === undefined || answer.is === 'stored') continue;
    const { error } = answer;
    if (!isKeelsonError(error)) {
      if (!failingByItself.has(workload))
        world.violate('every refusal has a code', `${unit} (${workload}): ${String(error)}`);
      continue;
    }
    const about = `${unit} (${workload}): ${error.code} ${error.message}`;
    if (neverRight.has(error.code) && !isOwnFault.has(workload)) world.violate('no error blames correct code', about);
    const isOwn = hungUpAtMs !== undefined || (answeredAtMs ?? 0) >= deadlineAtMs - earlyMs;
    // A pause within a transaction may be too long, and a COMMIT may be on its way at the deadline.
    const isIdle = workload === 'pause' && error.message.includes('25P03');
    const isLate = error.code === 'DATABASE_AMBIGUOUS_COMMIT' && isOwn;
    if (isWell && !isIdle && !isLate && hungUpAtMs === undefined && needingFault.has(error.code))
      world.violate('without a fault no connection is lost', about);
    if (error.facts.kind === 'cancelled' && !isOwn)
      world.violate('no cancel request ends the statement of another session', about);
  }
}

/** Faults after which no server can say, or not in time, what became of a COMMIT. */
const leavingDoubt = new Set([
  'crash',
  'power off',
  'failover',
  'restart',
  'forget',
  'hold',
  'swallow',
  'slow',
  'full',
  'freeze',
  'lag',
]);

const losingServer = /^(?:forget|crash|fail over|reset and silence)/;

/** A server that is well, and is asked, says what became of a COMMIT. */
function checkDoubts(world: World, { scenario }: Stage, requests: readonly Request[]): void {
  const mayBeAsked = scenario.service.commitProof !== 'none' && scenario.server.maxConnections > 50;
  const isWell = scenario.faults.every(
    fault => !leavingDoubt.has(fault.is) && (fault.is !== 'at commit' || !losingServer.test(fault.what)),
  );
  if (!mayBeAsked || !isWell) return;
  // Who hangs up does not wait for the answer to a COMMIT.
  for (const { unit, answer, answeredAtMs, deadlineAtMs, hungUpAtMs } of requests)
    if (answer?.is === 'unknown' && hungUpAtMs === undefined && (answeredAtMs ?? 0) < deadlineAtMs - earlyMs)
      world.violate('a COMMIT without an answer is looked up', `${unit} is in doubt before its deadline`);
}

/** Every caller is answered by its deadline, or when it hangs up. */
function checkAnswers(world: World, stage: Stage, requests: readonly Request[]): void {
  for (const request of requests) {
    const { unit, answeredAtMs, deadlineAtMs, instance, askedAtMs } = request;
    if (world.time.isDead(instance) && answeredAtMs === undefined) continue;
    const endMs = request.workload === 'read own write' ? deadlineAtMs + 1_000 : deadlineAtMs;
    if (answeredAtMs === undefined) {
      world.violate(
        'every caller is answered by its deadline',
        `${unit} of ${instance}, asked at ${askedAtMs}, has no answer`,
      );
      continue;
    }
    const lateBy = answeredAtMs - endMs - frozenMs(stage, request, answeredAtMs);
    if (lateBy > lateMs)
      world.violate(
        'every caller is answered by its deadline',
        `${unit} of ${instance} is answered ${Math.round(lateBy)} ms late`,
      );
  }
}

function countUnits(stage: Stage): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, { unit = '' }] of stage.primary.store.stored('ledger')) counts.set(unit, (counts.get(unit) ?? 0) + 1);
  return counts;
}

function byUnit(requests: readonly Request[]): ReadonlyMap<string, readonly Request[]> {
  return Map.groupBy(requests, ({ unit }) => unit);
}

function checkLedger(world: World, stage: Stage, requests: readonly Request[]): void {
  const counts = countUnits(stage);
  const lost = new Map(
    stage.history.stored.filter(({ lostAtMs }) => lostAtMs !== undefined).map(each => [each.unit, each]),
  );
  for (const [unit, asked] of byUnit(requests)) {
    const count = counts.get(unit) ?? 0;
    const answers = asked.map(({ answer }) => answer?.is ?? 'nothing');
    const writes = asked.some(request => request.writes);
    const { instance = '', workload = '' } = asked[0] ?? {};
    const about = `${unit} (${workload}, ${instance})`;
    if (count > 1)
      world.violate(
        'no unit is applied twice',
        `${about} is stored ${count} times; its client got: ${answers.join(', ')}`,
      );
    if (count > 0 && answers.every(answer => answer === 'refused'))
      world.violate(
        'no stored unit is reported as not stored',
        `${about} is stored; its client got: ${answers.join(', ')}`,
      );
    if (count > 0 && asked.some(({ mustFail }) => mustFail))
      world.violate('no unit that must fail is stored', `${about} is stored`);
    if (asked.some(({ mustFail, answer }) => mustFail && answer?.is === 'stored'))
      world.violate('no unit that must fail is reported as stored', `${about} was reported as done`);
    if (count === 0 && writes && answers.includes('stored')) {
      const loss = lost.get(unit);
      if (loss === undefined)
        world.violate('no acknowledged unit is lost', `${about} is not stored, and no fault took it`);
      else if (!loss.isLearned)
        world.violate(
          'no acknowledged unit is lost',
          `${about} was lost at ${loss.lostAtMs} before any server had said that it was committed`,
        );
    }
  }
}

const inParts = new Set<Workload>(['bulk', 'bulk fails', 'batch']);

/** Of the rows that a unit stores at once, all are stored or none. */
function checkParts(world: World, stage: Stage, requests: readonly Request[]): void {
  const units = countUnits(stage);
  const parts = Map.groupBy(stage.primary.store.stored('part'), ([, { unit = '' }]) => unit);
  for (const [unit, { workload }] of new Map(requests.map(request => [request.unit, request]))) {
    if (!inParts.has(workload)) continue;
    const count = parts.get(unit)?.length ?? 0;
    const wanted = units.has(unit) ? partCount : 0;
    if (count !== wanted)
      world.violate('a unit is stored as a whole', `${unit} (${workload}) has ${count} of ${wanted} parts`);
  }
}

function checkLists(world: World, stage: Stage, requests: readonly Request[]): void {
  const counts = countUnits(stage);
  const final = new Map([...stage.primary.store.stored('list')].map(([key, { items = '' }]) => [key, items]));
  const hasLosses = stage.history.stored.some(({ lostAtMs }) => lostAtMs !== undefined);
  for (const [key, items] of final) {
    const seen = new Set<string>();
    for (const item of items.split(',').filter(text => text !== '')) {
      const [unit = ''] = item.split('.');
      if (item.startsWith('x')) world.violate('nothing that a savepoint rolled back is stored', `${item} is in ${key}`);
      else if (seen.has(unit)) world.violate('no unit is applied twice', `${unit} is twice in ${key}`);
      else if (!counts.has(unit))
        world.violate('a unit is stored as a whole', `${unit} is in ${key}, and not in the ledger`);
      seen.add(unit);
    }
  }
  for (const { unit, lists, answer } of requests) {
    if (answer?.is !== 'stored') continue;
    if (counts.has(unit))
      for (const key of lists)
        if (!(final.get(key) ?? '').includes(`${unit}.`))
          world.violate('a unit is stored as a whole', `${unit} is in the ledger, and not in ${key}`);
    if (hasLosses) continue;
    for (const { key, items } of answer.reads)
      if (!(final.get(key) ?? '').startsWith(items))
        world.violate(
          'a read sees only stored data',
          `${unit} has read ${items} in ${key}, where ${final.get(key)} is stored`,
        );
  }
  if (!hasLosses) checkRealTime(world, stage, requests);
}

/** Who asks after a unit was acknowledged sees it. */
function checkRealTime(world: World, stage: Stage, requests: readonly Request[]): void {
  if (stage.scenario.standby === 'replica') return;
  const acknowledged = new Map<string, Request[]>();
  for (const request of requests)
    if (request.answer?.is === 'stored')
      for (const key of request.lists) {
        const known = acknowledged.get(key);
        if (known === undefined) acknowledged.set(key, [request]);
        else known.push(request);
      }
  for (const { unit, askedAtMs, answer } of requests) {
    if (answer?.is !== 'stored') continue;
    for (const { key, items } of answer.reads) {
      const seen = new Set(writersOf(items));
      for (const earlier of acknowledged.get(key) ?? [])
        if ((earlier.answeredAtMs ?? 0) < askedAtMs && !seen.has(earlier.unit))
          world.violate(
            'a read sees all units acknowledged before it',
            `${unit} has not seen ${earlier.unit} in ${key}`,
          );
    }
  }
}

import type { Link } from '../network/network.ts';
import type { Stage } from '../scenario/stage.ts';
import type { Instance } from '../service/instance.ts';
import type { World } from '../world/world.ts';

/** Longest time that a healthy server may stay unused, in ms. */
const recoveryMs = 15_000;
/** Longest time until the last connection is back, in ms: what waits for an answer that was lost has to notice that. */
const restMs = 70_000;
const closingMs = 5_500;
/** Longest time until the outcome of a COMMIT is found, in ms. */
const lookupMs = 4_000;

/** What must hold once the servers are well and no client sends requests: each service works, rests, survives more and ends. */
export async function checkQuiet(world: World, stage: Stage): Promise<void> {
  const alive = stage.instances.filter(({ isDead }) => !isDead);
  for (const instance of alive) await checkRecovery(world, instance);
  await checkAllRest(world, alive);
  for (const instance of alive) {
    checkDiscarded(world, stage, instance);
    checkBudget(world, instance);
  }
  await checkRestart(world, stage, alive);
  for (const instance of alive) await checkForgotten(world, stage, instance);
  for (const instance of alive) await checkLookups(world, stage, instance);
  await checkAllRest(world, alive);
  // All idle connections are dead when it ends.
  for (const { name } of alive) forgetAll(stage, name);
  for (const instance of alive) await checkEnd(world, instance);
  // What looks after connections looks once more, and finds none.
  await world.time.sleep(1_500, 'the time after the end');
  for (const { name } of alive) checkNothingLeft(world, stage, name);
}

async function checkAllRest(world: World, alive: readonly Instance[]): Promise<void> {
  await until(world, restMs, () => alive.every(isAtRest));
  for (const instance of alive) checkRest(world, instance);
}

/** A service that has seen its server go sees it come back, also while it gets no requests. */
async function checkRestart(world: World, stage: Stage, alive: readonly Instance[]): Promise<void> {
  const { primary } = stage;
  primary.crash({ losesUnflushed: false });
  await world.time.sleep(3_000, 'a server that is down');
  primary.start(100);
  const isConnected = ({ database }: Instance) => database.state.is === 'connected';
  await until(world, recoveryMs, () => alive.every(isConnected));
  for (const instance of alive)
    if (!isConnected(instance))
      world.violate(
        'a service without requests notices that its server is back',
        `${instance.name} after ${recoveryMs} ms: ${instance.database.state.is}`,
      );
  for (const instance of alive) await checkRecovery(world, instance);
}

/** Idle connections that are dead are noticed before a caller loses time with them. */
async function checkForgotten(world: World, stage: Stage, instance: Instance): Promise<void> {
  const { acquireTimeoutMs, pingTimeoutMs } = instance.options.pool;
  await forgetIdle(world, stage, instance);
  let failure: unknown;
  await call(world, instance, () => ask(instance, 3_000)).catch((error: unknown) => {
    failure = error;
  });
  // Else the ping may take up all the time that the caller has.
  if (failure !== undefined && acquireTimeoutMs >= pingTimeoutMs + 1_000)
    world.violate('a dead idle connection is noticed in time', `${instance.name}: ${String(failure)}`);
  // This caller has gone before the ping has ended: its connection comes when no caller waits for it.
  await forgetIdle(world, stage, instance);
  await call(world, instance, () => ask(instance, pingTimeoutMs / 2)).catch(() => undefined);
}

/** The outcome of a COMMIT is found in time, also over a connection that has died since the last look-up. */
async function checkLookups(world: World, stage: Stage, instance: Instance): Promise<void> {
  if (stage.scenario.service.commitProof === 'none') return;
  for (const state of ['alive', 'dead'] as const) {
    await until(world, restMs, () => isAtRest(instance));
    if (state === 'dead') forgetAll(stage, instance.name, link => link.purpose.endsWith(' control'));
    stage.loseNextAnswer(instance.name);
    const startedAtMs = world.now;
    const failure = await call(world, instance, () => write(instance, 20_000)).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    const tookMs = world.now - startedAtMs;
    if (failure !== undefined || tookMs > lookupMs)
      world.violate(
        'the outcome of a COMMIT is found in time',
        `${instance.name}, over a connection that is ${state}: ${failure ?? 'stored'} after ${tookMs} ms`,
      );
  }
}

/** Those that the service itself used a moment ago are not pinged: tokens are deleted in the background. */
async function forgetIdle(world: World, stage: Stage, instance: Instance): Promise<void> {
  const used = () => instance.driver.stats().counters.acquired;
  let before: number;
  do {
    await until(world, restMs, () => isAtRest(instance));
    before = used();
    await world.time.sleep(instance.options.pool.pingAfterIdleMs + 100, 'idle connections');
  } while (used() > before);
  forgetAll(stage, instance.name);
}

function forgetAll(stage: Stage, owner: string, isMeant: (link: Link) => boolean = () => true): void {
  const links = [...stage.network.links].filter(link => link.owner === owner && link.isOpen && isMeant(link));
  stage.world.note(`the network forgets ${links.map(({ name }) => name).join(', ')} of ${owner}`);
  for (const link of links) link.forget();
}

function ask({ database }: Instance, timeoutMs: number): Promise<unknown> {
  return database.session(em => em.execute('select unit from ledger where unit = ?', ['u0']), { timeoutMs });
}

function write({ database }: Instance, timeoutMs: number): Promise<unknown> {
  return database.session(em => em.execute('insert into ledger (unit) values (?)', ['u0']), { timeoutMs });
}

/** Without a fault, what callers break off is cancelled and rolled back, and the connection is lent again. */
function checkDiscarded(world: World, { scenario }: Stage, { name, driver }: Instance): void {
  const { lost = 0 } = driver.stats().counters.discarded;
  if (scenario.theme === 'no faults' && lost > 0)
    world.violate('without a fault no connection is discarded', `${name} has thrown ${lost} away`);
}

async function checkRecovery(world: World, instance: Instance): Promise<void> {
  const startedAtMs = world.now;
  let lastError: unknown;
  while (world.now - startedAtMs < recoveryMs) {
    const isDone = await call(world, instance, () =>
      ask(instance, 5_000).then(
        () => true,
        (error: unknown) => {
          lastError = error;
          return false;
        },
      ),
    );
    const { breaker } = instance.retry.describe().find(({ target }) => target === 'database') ?? {};
    if (isDone && breaker?.state === 'closed' && instance.database.state.is === 'connected') return;
    await world.time.sleep(100, 'a look at an instance');
  }
  const states = instance.retry.describe().map(({ target, breaker }) => `${target} ${breaker.state}`);
  world.violate(
    'every instance recovers after the last fault',
    `${instance.name} after ${recoveryMs} ms: ${instance.database.state.is}, breakers: ${states.join(', ')}, last error: ${String(lastError)}`,
  );
}

function isAtRest({ database }: Instance): boolean {
  const { total, idle, busy, waiting } = database.stats();
  return total === idle && busy === 0 && waiting === 0;
}

function checkRest(world: World, { name, database }: Instance): void {
  const { total, idle, busy, waiting } = database.stats();
  if (total === idle && busy === 0 && waiting === 0) return;
  world.violate(
    'at rest all connections are idle',
    `${name}: ${total} connections, ${idle} idle, ${busy} busy, ${waiting} callers wait`,
  );
}

/** What the policy promises: retries <= floor * seconds + share * calls. */
function checkBudget(world: World, instance: Instance): void {
  for (const { target, policy, counters } of instance.retry.describe()) {
    const { share, floorPerSecond, windowMs } = policy.budget;
    const most = (floorPerSecond * (world.now + windowMs)) / 1_000 + share * counters.calls;
    if (counters.retries > most)
      world.violate(
        'retries stay inside their budget',
        `${instance.name}, ${target}: ${counters.retries} retries, at most ${most}`,
      );
  }
}

async function checkEnd(world: World, instance: Instance): Promise<void> {
  const startedAtMs = world.now;
  let isEnded = false;
  void call(world, instance, () => instance.database.disconnect()).then(() => {
    isEnded = true;
  });
  await until(world, closingMs + 1_000, () => isEnded);
  const tookMs = world.now - startedAtMs;
  if (!isEnded || tookMs > closingMs)
    world.violate(
      'a service stops in time',
      `${instance.name} ${isEnded ? `took ${tookMs} ms to end` : 'has not ended'}`,
    );
}

function checkNothingLeft(world: World, stage: Stage, name: string): void {
  const timers = world.time.left.filter(
    ({ owner, what }) => owner === name && what !== 'a connection that is tried again',
  );
  if (timers.length > 0)
    world.violate(
      'a stopped service leaves no timer and no socket',
      `${name}: ${timers.map(({ what, at }) => `${what} at ${at}`).join(', ')}`,
    );
  const links = [...stage.network.links].filter(link => link.owner === name && link.isOpen);
  if (links.length > 0)
    world.violate(
      'a stopped service leaves no timer and no socket',
      `${name}: ${links.map(link => link.name).join(', ')} open`,
    );
}

/** While callers wait, every connection is lent: looked at again and again, and only what lasts counts. */
export async function watchLoans(world: World, stage: Stage, untilMs: number): Promise<void> {
  const before = new Map<Instance, boolean>();
  while (world.now < untilMs) {
    await world.time.sleep(300, 'a look at an instance');
    for (const instance of stage.instances) {
      if (instance.isDead || stage.isFrozen(instance.name)) continue;
      const { busy, waiting, max } = instance.driver.stats();
      const isIdle = waiting > 0 && busy < max && stage.scenario.standby !== 'replica';
      if (isIdle && before.get(instance) === true)
        world.violate(
          'no caller waits while a connection is free',
          `${instance.name}: ${waiting} wait, ${busy} of ${max} are lent`,
        );
      before.set(instance, isIdle);
    }
  }
}

function call<T>(world: World, instance: Instance, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    world.time.after(0, 'a call', () => instance.run(work).then(resolve, reject), instance.name);
  });
}

async function until(world: World, longestMs: number, isTrue: () => boolean): Promise<void> {
  const endMs = world.now + longestMs;
  while (!isTrue() && world.now < endMs) await world.time.sleep(50, 'a look at an instance');
}

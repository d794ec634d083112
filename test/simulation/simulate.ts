import { Client } from './clients/client.ts';
import { Listener } from './clients/listener.ts';
import { Migrator } from './clients/migrator.ts';
import type { Request } from './clients/request.ts';
import { checkHistory } from './properties/check-history.ts';
import { checkMessages } from './properties/check-messages.ts';
import { checkMigrations } from './properties/check-migrations.ts';
import { checkQuiet, watchLoans } from './properties/check-quiet.ts';
import { countOutcomes } from './reached/count-outcomes.ts';
import type { Scenario } from './scenario/scenario.ts';
import { Stage } from './scenario/stage.ts';
import { enter } from './world/globals.ts';
import { type StoryLine, type Violation, World } from './world/world.ts';

export interface Outcome {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
  /** The same for the same scenario. */
  readonly hash: string;
  readonly story: readonly StoryLine[];
  readonly reached: ReadonlyMap<string, number>;
  readonly requests: number;
  readonly simulatedMs: number;
  readonly happened: number;
  /** Of the processor. */
  readonly tookMs: number;
}

countOutcomes();
// It is loaded when it is first needed, which must not take turns of a run.
await import(new URL('./listening/listening.js', import.meta.resolve('@keelson/database')).href);
const stackLines = Error.stackTraceLimit;

/** The world that is simulated now, for uncaught errors of the process. */
let running: World | undefined;
process.on('uncaughtException', error => report(error));
process.on('unhandledRejection', error => report(error));

function report(error: unknown): void {
  if (running === undefined) throw error;
  running.violate('no uncaught error', error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** Runs a scenario to its end, and checks what must be true of it. */
export async function simulate(scenario: Scenario, { keepsStory = false } = {}): Promise<Outcome> {
  const startedAt = process.cpuUsage();
  const world = new World(scenario.seed, { keepsStory });
  running = world;
  enter(world);
  // The stacks of errors cost a tenth of a run, and only a reader of its story needs them.
  Error.stackTraceLimit = keepsStory ? stackLines : 0;
  const requests: Request[] = [];
  const endMs = scenario.durationMs + longestEndMs;
  let isDone = false;
  void play(world, scenario, requests).then(
    () => {
      isDone = true;
    },
    (error: unknown) => {
      world.violate('the simulation is sound', error instanceof Error ? (error.stack ?? error.message) : String(error));
      isDone = true;
    },
  );
  await world.time.run(() => isDone || world.now > endMs || world.time.happened > mostHappenings);
  if (!isDone) world.violate('every caller is answered by its deadline', 'the run has not ended');
  running = undefined;
  Error.stackTraceLimit = stackLines;
  return {
    scenario,
    violations: world.violations,
    hash: world.hash,
    story: world.story,
    reached: world.reached,
    requests: requests.length,
    simulatedMs: world.now,
    happened: world.time.happened,
    tookMs: cpuMs(startedAt),
  };
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
}

/** A run that takes longer to end, or in which more happens, has gone wrong. */
const longestEndMs = 900_000;
const mostHappenings = 1_000_000;

/** Longest time for all callers to be answered after the last one has asked. */
const patienceMs = 45_000;

async function play(world: World, scenario: Scenario, requests: Request[]): Promise<void> {
  const stage = new Stage(world, scenario);
  for (const instance of stage.instances)
    await inItsProcess(world, instance.name, () => instance.run(() => instance.database.connect()));
  const listeners = scenario.listens ? stage.instances.map(instance => new Listener(world, instance)) : [];
  for (const listener of listeners)
    await inItsProcess(world, listener.instance.name, () => listener.instance.run(() => listener.begin()));
  stage.plan();
  const startMs = world.now;
  const clients = scenario.clients.map(plan => new Client(stage, plan));
  const all = Promise.all(clients.map(client => client.run(startMs + scenario.durationMs))).then(() => true);
  const { migratesAtMs } = scenario;
  const migrators = migratesAtMs === undefined ? [] : stage.instances.map(instance => new Migrator(world, instance));
  for (const migrator of migrators) void migrator.run(startMs + (migratesAtMs ?? 0), startMs + scenario.durationMs);
  void watchLoans(world, stage, startMs + scenario.durationMs);
  await world.time.sleep(scenario.durationMs, 'the end of the faults');
  stage.heal();
  await Promise.race([all, world.time.sleep(patienceMs, 'the end of all patience')]);
  for (const client of clients) requests.push(...client.requests);
  await checkMessages(world, stage, listeners, requests);
  await checkMigrations(world, stage, migrators);
  await checkQuiet(world, stage);
  checkHistory(world, stage, requests);
}

/** As something that comes in from outside. */
function inItsProcess<T>(world: World, owner: string, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    world.time.after(0, 'a call', () => work().then(resolve, reject), owner);
  });
}

import type { Isolation } from '../postgres/store.ts';
import { Random } from '../world/random.ts';
import { faults } from './make-faults.ts';
import {
  type ClientPlan,
  type Fault,
  type Scenario,
  type Theme,
  themes,
  type Workload,
  workloads,
} from './scenario.ts';

export interface Size {
  readonly instances?: number;
  readonly clients?: number;
  readonly durationMs?: number;
  readonly isCalm?: boolean;
}

/** Chooses what happens in the run of a seed: each has other options, other faults and other work. */
export function makeScenario(seed: string, size: Size = {}): Scenario {
  const random = new Random(seed).fork('scenario');
  const theme = random.pick(themes);
  const isAboutCommits = theme === 'commits' || theme === 'lost answers' || theme === 'ids again';
  const isCalm = size.isCalm ?? (theme !== 'ids again' && random.fork('pace').chance(0.125));
  const durationMs = size.durationMs ?? random.integer(3, 15) * (isCalm ? 12_000 : 1_000);
  const instances = size.instances ?? random.integer(isAboutCommits ? 2 : 1, 3);
  const standby = random.pick(['none', 'none', 'one address', 'two hosts', 'replica'] as const);
  const lazyFlushMs = lazyFlush(random, theme);
  const clients = size.clients ?? random.integer(isAboutCommits ? 4 : 1, 10);
  const chosen = isAboutCommits ? committing : random.some(workloads);
  // A stream of its own: all else is the same as without it.
  const listening = random.fork('listening');
  const listens = listening.chance(0.4);
  const migrating = random.fork('migrating');
  const migrates = theme !== 'ids again' && migrating.chance(0.25);
  const migratesAtMs = migrates ? Math.round(migrating.between(0, durationMs * 0.8)) : undefined;
  const ofMigrations = migratesAtMs === undefined || !isAboutCommits ? [] : [atMigrations(migrating, migratesAtMs)];
  // With fewer, not even the first connections of all instances would fit.
  const leastConnections = instances * (listens ? 4 : 3);
  const isolations = random.some([undefined, 'read committed', 'repeatable read', 'serializable'] as const);
  return {
    seed,
    theme,
    durationMs,
    instances,
    pace: {
      latencyMs: random.pick([0.1, 0.3, 1, 5]),
      jitterMs: random.pick([0, 0.1, 1, 4]),
      splits: random.pick([0, 0, 0.05, 0.5]),
    },
    server: {
      maxConnections: theme === 'anything' && random.chance(0.2) ? leastConnections + random.integer(1, 8) : 100,
      lazyFlushMs,
      statementMs: random.pick([0.1, 0.5, 2]),
      replicationMs: random.pick([1, 10, 200]),
    },
    standby,
    listens,
    migratesAtMs,
    service: {
      migrations: { timeoutMs: migrating.pick([3_000, 20_000]) },
      listen: {
        checkIntervalMs: listening.pick([500, 2_000, 5_000]),
        checkTimeoutMs: listening.pick([300, 1_000, 3_000]),
        maxQueued: 1_000,
      },
      pool: {
        max: random.pick([1, 2, 3, 5, 10]),
        min: random.chance(0.2) ? 1 : 0,
        acquireTimeoutMs: random.pick([500, 2_000, 5_000]),
        maxWaiting: random.pick([2, 20, 1_000]),
        idleTimeoutMs: random.pick([1_000, 10_000, 600_000]),
        maxLifetimeMs: random.pick([2_000, 20_000, 1_800_000]),
        pingAfterIdleMs: random.pick([0, 50, 500]),
        pingTimeoutMs: random.pick([200, 500]),
        preparedStatements: random.pick([0, 2, 100]),
      },
      connectTimeoutMs: random.pick([300, 1_000, 5_000]),
      statementTimeoutMs: random.pick([1_000, 5_000, 30_000]),
      lockTimeoutMs: random.pick([200, 2_000, 10_000]),
      idleInTransactionTimeoutMs: theme === 'no faults' ? 60_000 : random.pick([1_000, 10_000, 60_000]),
      silentAfterMs: random.pick([0, 300, 3_000]),
      commitProof: commitProof(random, theme),
      ...(theme === 'anything' && { engine: random.pick(engines) }),
      session: {
        timeoutMs: 30_000,
        cancelGraceMs: random.pick(theme === 'no faults' ? [500, 2_000] : [100, 500, 2_000]),
      },
    },
    retry: {
      policies: {
        default: {
          maxAttempts: random.pick([1, 3, 8]),
          whenOpen: theme === 'ids again' ? 'wait' : random.pick(['wait', 'wait', 'refuse'] as const),
          attemptTimeoutMs: random.pick([500, 10_000]),
          breaker: { consecutiveFailures: random.pick([0, 3, 10]) },
          bulkhead: { maxConcurrentCalls: random.pick([0, 0, 4]) },
          budget: random.pick([{}, {}, { share: 0.1, floorPerSecond: 0.2 }]),
        },
      },
    },
    clients: Array.from({ length: clients }, (_, number) =>
      clientPlan(random, { number, theme, isCalm, chosen, isolations }),
    ),
    faults: [
      ...faults(random, { theme, isCalm, durationMs, instances, hasStandby: standby !== 'none', lazyFlushMs }),
      ...ofMigrations,
    ],
  };
}

/** While the instances migrate, so that it also meets the COMMIT of a migration. */
function atMigrations(random: Random, atMs: number): Fault {
  const what = random.pick(['reset before', 'reset after', 'reset and done later', 'forget after'] as const);
  return { atMs, is: 'at commit', what, count: 3 };
}

/** What the server can do, as far as the service uses it. */
const engines = [
  'auto',
  'auto',
  'auto',
  { capabilities: { cancel: false } },
  { capabilities: { 'prepared-statements': false } },
  { capabilities: { 'server-timeouts': false, 'startup-parameters': false } },
  { capabilities: { 'commit-lookup': false } },
  { capabilities: { copy: false } },
] as const;

/** How long the server may lose what it has confirmed. */
function lazyFlush(random: Random, theme: Theme): number {
  if (theme === 'lost answers') return 0;
  if (theme === 'ids again') return random.integer(300, 800);
  return random.chance(theme === 'commits' ? 0.6 : 0.35) ? random.integer(50, 800) : 0;
}

function commitProof(random: Random, theme: Theme): 'auto' | 'token' | 'none' {
  if (theme === 'ids again') return 'auto';
  return random.pick(theme === 'lost answers' ? ['auto', 'token'] : ['auto', 'auto', 'token', 'none']);
}

interface Group {
  readonly number: number;
  readonly theme: Theme;
  readonly isCalm: boolean;
  readonly chosen: readonly Workload[];
  readonly isolations: readonly (Isolation | undefined)[];
}

function clientPlan(random: Random, { number, theme, isCalm, chosen, isolations }: Group): ClientPlan {
  return {
    number,
    thinkMs: random.pick(isCalm ? calmMs : theme === 'ids again' ? [50, 300] : busyMs),
    workloads: chosen,
    isolations,
    // Longer than a service stands still.
    timeoutMs: theme === 'ids again' ? 10_000 : random.pick([300, 1_000, 3_000, 10_000]),
    hangsUp: random.pick(theme === 'no faults' ? [0, 0.3] : [0, 0, 0.05, 0.3]),
    asksAgain: random.pick([0, 0.5, 1]),
    lists: random.pick([1, 3, 20]),
    burst: isCalm ? 10 : 25,
  };
}

/** How long a client waits between two requests, on average. */
const busyMs = [50, 300, 1_000, 3_000] as const;
const calmMs = [2_000, 3_000, 5_000, 10_000] as const;

const committing = ['insert', 'orm', 'append', 'savepoint', 'by hand'] as const;

import type { Isolation } from '../postgres/store.ts';
import { Random } from '../world/random.ts';
import { type ClientPlan, type Fault, type Scenario, type Workload, workloads } from './scenario.ts';

export interface Size {
  readonly instances?: number;
  readonly clients?: number;
  readonly durationMs?: number;
}

/** Chooses what happens in the run of a seed: each has other options, other faults and other work. */
export function makeScenario(seed: string, size: Size = {}): Scenario {
  const random = new Random(seed).fork('scenario');
  const durationMs = size.durationMs ?? random.integer(3, 15) * 1_000;
  // Answers to COMMIT are what most can be done wrong with: every third seed is about little else.
  const isAboutCommits = random.chance(0.33);
  const instances = size.instances ?? random.integer(isAboutCommits ? 2 : 1, 3);
  const standby = random.pick(['none', 'none', 'one address', 'two hosts', 'replica'] as const);
  const lazyFlushMs = random.chance(isAboutCommits ? 0.6 : 0.35) ? random.integer(50, 800) : 0;
  const clients = size.clients ?? random.integer(isAboutCommits ? 4 : 1, 10);
  const chosen = isAboutCommits ? committing : subset(random, workloads);
  const isolations = subset(random, [undefined, 'read committed', 'repeatable read', 'serializable'] as const);
  return {
    seed,
    durationMs,
    instances,
    pace: {
      latencyMs: random.pick([0.1, 0.3, 1, 5]),
      jitterMs: random.pick([0, 0.1, 1, 4]),
      splits: random.pick([0, 0, 0.05, 0.5]),
    },
    server: {
      maxConnections: random.chance(0.2) ? instances * 3 + random.integer(1, 8) : 100,
      lazyFlushMs,
      statementMs: random.pick([0.1, 0.5, 2]),
      replicationMs: random.pick([1, 10, 200]),
    },
    standby,
    service: {
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
      idleInTransactionTimeoutMs: random.pick([1_000, 10_000, 60_000]),
      silentAfterMs: random.pick([0, 300, 3_000]),
      commitProof: random.pick(['auto', 'auto', 'token', 'none'] as const),
      session: { timeoutMs: 30_000, cancelGraceMs: random.pick([100, 500, 2_000]) },
    },
    retry: {
      policies: {
        default: {
          maxAttempts: random.pick([1, 3, 8]),
          whenOpen: random.pick(['wait', 'wait', 'refuse'] as const),
          attemptTimeoutMs: random.pick([500, 10_000]),
          breaker: { consecutiveFailures: random.pick([0, 3, 10]) },
          bulkhead: { maxConcurrentCalls: random.pick([0, 0, 4]) },
        },
      },
    },
    clients: Array.from({ length: clients }, (_, number) => clientPlan(random, number, chosen, isolations)),
    faults: faults(random, { durationMs, instances, hasStandby: standby !== 'none', lazyFlushMs, isAboutCommits }),
  };
}

function clientPlan(
  random: Random,
  number: number,
  chosen: readonly Workload[],
  isolations: readonly (Isolation | undefined)[],
): ClientPlan {
  return {
    number,
    thinkMs: random.pick([50, 300, 1_000, 3_000]),
    workloads: chosen,
    isolations,
    timeoutMs: random.pick([300, 1_000, 3_000, 10_000]),
    hangsUp: random.pick([0, 0, 0.05, 0.3]),
    asksAgain: random.pick([0, 0.5, 1]),
    lists: random.pick([1, 3, 20]),
  };
}

function subset<T>(random: Random, all: readonly [T, ...T[]]): readonly T[] {
  const probability = random.pick([0.2, 0.5, 1]);
  const chosen = all.filter(() => random.chance(probability));
  return chosen.length > 0 ? chosen : [random.pick(all)];
}

interface Stage {
  readonly durationMs: number;
  readonly instances: number;
  readonly hasStandby: boolean;
  readonly lazyFlushMs: number;
  readonly isAboutCommits: boolean;
}

const committing = ['insert', 'orm', 'append', 'savepoint', 'by hand'] as const;

/** No faults at all now and then; else some kinds of them. */
function faults(random: Random, stage: Stage): readonly Fault[] {
  if (random.chance(0.1)) return [];
  const kinds = stage.isAboutCommits ? faultsAboutCommits : subset(random, faultKinds);
  const count = random.integer(
    1,
    Math.max(2, Math.ceil(stage.durationMs / (stage.isAboutCommits ? 700 : random.pick([500, 2_000, 6_000])))),
  );
  const made = Array.from({ length: count }, () => {
    const atMs = Math.floor(random.between(200, stage.durationMs));
    return fault(random, random.pick([kinds[0] ?? 'reset', ...kinds.slice(1)]), atMs, stage);
  });
  // Who stands still while others use the ids that a crash has freed must not take theirs for its own.
  const losing = made.flatMap(each => {
    if (each?.is !== 'freeze at commit' || !stage.isAboutCommits) return [];
    const what = stage.hasStandby ? 'fail over after' : stage.lazyFlushMs > 0 ? 'crash and lose' : 'crash after';
    return [{ is: 'at commit', atMs: each.atMs, what, count: 1 } as const];
  });
  return [...made, ...losing].filter(each => each !== undefined).toSorted((one, other) => one.atMs - other.atMs);
}

const faultsAboutCommits = ['at commit', 'at commit', 'freeze at commit', 'hold'] as const;

const faultKinds = [
  'crash',
  'power off',
  'restart',
  'failover',
  'hold',
  'swallow',
  'reset',
  'cut',
  'forget',
  'at commit',
  'freeze at commit',
  'slow',
  'full',
  'freeze',
  'kill',
  'end backends',
  'lag',
  'read-only',
  'renew',
] as const;

function fault(
  random: Random,
  is: (typeof faultKinds)[number],
  atMs: number,
  { instances, hasStandby, lazyFlushMs }: Stage,
): Fault | undefined {
  const forMs = Math.floor(random.exponential(random.pick([100, 1_000, 4_000]))) + 5;
  const instance = random.integer(0, instances - 1);
  const recoveryMs = random.integer(5, 800);
  switch (is) {
    case 'crash':
      return { is, atMs, losesUnflushed: lazyFlushMs > 0 && random.chance(0.7), downMs: forMs, recoveryMs };
    case 'power off':
    case 'restart':
      return { is, atMs, downMs: forMs, recoveryMs };
    case 'failover':
      return hasStandby ? { is, atMs, promotedAfterMs: forMs, isPowerOff: random.chance(0.5) } : undefined;
    case 'hold':
    case 'swallow':
      return { is, atMs, instance, forMs };
    case 'reset':
    case 'renew':
      return { is, atMs, instance };
    case 'cut':
      return {
        is,
        atMs,
        connections: random.integer(1, 4),
        side: random.pick(['up', 'down']),
        afterBytes: random.integer(0, 600),
      };
    case 'forget':
      return { is, atMs, connections: random.integer(1, 4) };
    case 'at commit': {
      const what = random.pick([
        'reset before',
        'reset after',
        'reset after',
        'reset and done later',
        'done later',
        'forget after',
        'crash before',
        'crash after',
      ] as const);
      if (hasStandby && random.chance(0.3)) return { is, atMs, what: 'fail over after', count: 1 };
      const loses = lazyFlushMs > 0 && random.chance(0.5);
      return { is, atMs, what: loses ? 'crash and lose' : what, count: random.integer(1, 3) };
    }
    case 'freeze at commit':
      return { is, atMs, count: random.integer(1, 3), forMs: random.integer(300, 5_000) };
    case 'slow':
      return { is, atMs, factor: random.pick([10, 100, 1_000]), forMs };
    case 'full':
    case 'lag':
    case 'read-only':
      return { is, atMs, forMs };
    case 'freeze':
      return { is, atMs, instance, forMs };
    case 'kill':
      return instances > 1 && random.chance(0.3) ? { is, atMs, instance } : undefined;
    case 'end backends':
      return { is, atMs, count: random.integer(1, 5) };
  }
}

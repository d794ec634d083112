import type { Random } from '../world/random.ts';
import type { Fault, Theme } from './scenario.ts';

interface Stage {
  readonly durationMs: number;
  readonly instances: number;
  readonly hasStandby: boolean;
  readonly lazyFlushMs: number;
  readonly theme: Theme;
  readonly isCalm: boolean;
}

/** No faults at all now and then; else some kinds of them. */
export function faults(random: Random, stage: Stage): readonly Fault[] {
  const { theme, isCalm, durationMs } = stage;
  if (theme === 'no faults') return [];
  if (theme === 'ids again') return idsAgain(random, stage);
  const kinds = kindsOf(random, theme);
  const pauseMs = theme === 'anything' ? random.pick([500, 2_000, 6_000]) : pausesMs[theme];
  const count = random.integer(1, Math.max(2, Math.ceil(durationMs / (isCalm ? pauseMs * 10 : pauseMs))));
  const made = Array.from({ length: count }, () => {
    const atMs = Math.floor(random.between(200, durationMs));
    return fault(random, random.pick([kinds[0] ?? 'reset', ...kinds.slice(1)]), atMs, stage);
  });
  return [...made, ...crashes(made, stage)].filter(each => each !== undefined).toSorted(byTime);
}

const pausesMs = { commits: 700, 'lost answers': 400, silence: 2_000 } as const;

function kindsOf(random: Random, theme: 'anything' | 'commits' | 'lost answers' | 'silence'): readonly Kind[] {
  switch (theme) {
    case 'commits':
      return ['at commit', 'at commit', 'freeze at commit', 'hold'];
    case 'lost answers':
      return ['at commit'];
    case 'silence':
      return ['hold', 'swallow', 'forget', 'forget', 'at commit'];
    default:
      return random.some(faultKinds);
  }
}

/** A service that stands still while others use the ids that a crash has freed must not take theirs for its own. */
function crashes(made: readonly (Fault | undefined)[], stage: Stage): readonly Fault[] {
  if (stage.theme !== 'commits') return [];
  return made.flatMap(each => (each?.is === 'freeze at commit' ? [losing(each.atMs, stage)] : []));
}

function losing(atMs: number, { hasStandby, lazyFlushMs }: Stage): Fault {
  const what = hasStandby ? 'fail over after' : lazyFlushMs > 0 ? 'crash and lose' : 'crash after';
  return { is: 'at commit', atMs, what, count: 1 };
}

/** A server loses what it has confirmed, several times, and is back before the service that got the answer wakes up. */
function idsAgain(random: Random, stage: Stage): readonly Fault[] {
  const count = Math.max(1, Math.floor(stage.durationMs / 6_000));
  return Array.from({ length: count }, (_, at) => 300 + at * 6_000 + random.integer(0, 500)).flatMap(atMs => [
    { is: 'freeze at commit', atMs, count: 1, forMs: random.integer(3_000, 5_000) } as const,
    losing(atMs, stage),
  ]);
}

function byTime(one: Fault, other: Fault): number {
  return one.atMs - other.atMs;
}

const lostAnswers = ['reset before', 'reset after', 'reset and done later', 'done later'] as const;

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

type Kind = (typeof faultKinds)[number];

function fault(
  random: Random,
  is: Kind,
  atMs: number,
  { instances, hasStandby, lazyFlushMs, theme }: Stage,
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
      if (theme === 'lost answers') return { is, atMs, what: random.pick(lostAnswers), count: random.integer(1, 3) };
      if (theme === 'silence') return { is, atMs, what: 'reset and silence', count: 1 };
      const what = random.pick([
        'reset before',
        'reset after',
        'reset after',
        'reset and done later',
        'reset and silence',
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

import { byScenario, type PlannedCell, runsOf, warmUpSecondsOf } from './cells.js';
import { kindsIn, leadInSeconds } from './measure.js';
import type { BenchOptions } from './options.js';
import { restartMeasure } from './restart.js';
import { startRounds } from './start-times.js';

/** In seconds, as seen on two cores. */
const taken = {
  /** The benches of parts. */
  parts: 120,
  /** One service, to count what it sends and allocates. */
  counts: 15,
  /** To start a service and to stop it. */
  start: 2,
  /** To make the tables new, and to end what is on its way. */
  measurement: 0.2,
} as const;

export interface PlannedStep {
  readonly name: string;
  readonly seconds: number;
}

/** About how long a run takes, in its order. */
export function plannedSteps(options: BenchOptions): readonly PlannedStep[] {
  const { kinds, rounds, seconds, only } = options;
  const runs = runsOf(only);
  const allOf = (secondsOf: (cells: readonly PlannedCell[]) => number) => sum(runs.map(secondsOf));
  const restarted = only === undefined || only === 'restart' ? kinds.filter(({ role }) => role === 'stack').length : 0;
  const { warmUpSeconds, beforeSeconds, afterSeconds, clientTimeoutMs } = restartMeasure;
  // A service that answers no more is waited for until its clients give up.
  const restartSeconds = taken.start + warmUpSeconds + beforeSeconds + afterSeconds + clientTimeoutMs / 1_000;
  return [
    { name: 'parts alone', seconds: only === undefined ? taken.parts : 0 },
    { name: 'counts', seconds: taken.counts * kinds.length },
    { name: 'starts', seconds: taken.start * kinds.length * (startRounds(rounds) + 1) },
    { name: 'restarts', seconds: restarted * restartSeconds },
    { name: 'starts for the rows', seconds: allOf(cells => taken.start * kindsIn(cells, options).length) },
    {
      name: 'warm-up',
      seconds: allOf(cells =>
        sum(
          [...byScenario(cells)].map(
            ([scenario, alike]) => warmUpSecondsOf(scenario, seconds) * kindsIn(alike, options).length,
          ),
        ),
      ),
    },
    {
      name: 'rows',
      seconds: allOf(cells => {
        const each = seconds + Math.min(leadInSeconds, seconds) + taken.measurement;
        const times = cells.map(cell => cell.roundsOf(rounds) * kindsIn([cell], options).length);
        return each * sum(times);
      }),
    },
  ];
}

export function plannedMinutes(options: BenchOptions): number {
  return sum(plannedSteps(options).map(({ seconds }) => seconds)) / 60;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

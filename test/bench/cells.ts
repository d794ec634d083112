import { type Scenario, scenarios } from './requests.js';
import { baseline, baselineAgain, serviceKinds } from './service-kinds.js';

/** One row of the table: what is asked, over how many connections, how far from the database. */
export interface Cell {
  readonly scenario: Scenario;
  readonly connections: number;
  /** What each round trip to the database takes beside the work. */
  readonly roundTripMs: number;
  /** The connections to the database use TLS. */
  readonly isEncrypted: boolean;
}

export interface PlannedCell {
  readonly cell: Cell;
  /** How often each service is measured, of the rounds that are asked for. */
  readonly roundsOf: (asked: number) => number;
  /** By their names. */
  readonly services: readonly string[];
}

export const cell = (scenario: Scenario, connections: number, roundTripMs: number, isEncrypted = false): Cell => ({
  scenario,
  connections,
  roundTripMs,
  isEncrypted,
});

const all = serviceKinds.map(({ name }) => name);
/** What the log and the telemetry cost is in the rows of GET and POST. */
const withoutVariants = serviceKinds.filter(({ role }) => role !== 'variant').map(({ name }) => name);
/** What the statements by hand cost is in the rows over 16 connections. */
const withMikroOrm = [baseline, baselineAgain, 'keelson', 'nest'];

/** Two processes of the same service differ by more than its rounds do: each compiles its code in its own way. */
const processes = 3;

const asManyAsAsked = (asked: number) => asked;
const oneProcess = (asked: number) => Math.ceil(asked / processes);
const fewRounds = (asked: number) => Math.ceil((2 * asked) / 5);

/** Over 16 connections all scenarios; the two most frequent also at the edges. */
const cells: readonly PlannedCell[] = [
  ...scenarios.map(scenario => {
    const isFrequent = scenario === 'get' || scenario === 'post';
    return isFrequent
      ? planned(cell(scenario, 16, 0), oneProcess, all)
      : planned(cell(scenario, 16, 0), fewRounds, withoutVariants);
  }),
  ...(['get', 'post'] as const).flatMap(scenario => [
    planned(cell(scenario, 1, 0), fewRounds, withMikroOrm),
    planned(cell(scenario, 256, 0), fewRounds, withMikroOrm),
    // Fewer than the pool has, so that what is seen is the distance and not the queue for a connection.
    planned(cell(scenario, 4, 0.5), fewRounds, withMikroOrm),
    planned(cell(scenario, 16, 0.5), fewRounds, withMikroOrm),
    // A goal.
    planned(cell(scenario, 4, 2), asManyAsAsked, withMikroOrm),
    planned(cell(scenario, 16, 2), fewRounds, withMikroOrm),
    planned(cell(scenario, 16, 0, true), fewRounds, withoutVariants),
  ]),
];

/** The rows of the goals once more: their rounds are divided among several processes of each service. */
const again = (['get', 'post'] as const).map(scenario => planned(cell(scenario, 16, 0), oneProcess, withMikroOrm));

function planned(cell: Cell, roundsOf: PlannedCell['roundsOf'], services: readonly string[]): PlannedCell {
  return { cell, roundsOf, services };
}

/** What is measured, by the running services that it is measured in. They are new for each entry. */
export function runsOf(only: string | undefined): readonly (readonly PlannedCell[])[] {
  const more = Array.from({ length: processes - 1 }, () => again);
  const wanted = ({ cell: { scenario } }: PlannedCell) => only === undefined || scenario === only;
  return [...byPlace(cells), ...more].map(run => run.filter(wanted)).filter(run => run.length > 0);
}

export function isSameCell(one: Cell, other: Cell): boolean {
  return (
    one.scenario === other.scenario &&
    one.connections === other.connections &&
    one.roundTripMs === other.roundTripMs &&
    one.isEncrypted === other.isEncrypted
  );
}

/** Those as far from the database, as well encrypted. */
function byPlace(cells: readonly PlannedCell[]): readonly (readonly PlannedCell[])[] {
  return [...Map.groupBy(cells, ({ cell: { roundTripMs, isEncrypted } }) => `${roundTripMs} ${isEncrypted}`).values()];
}

export function byScenario(cells: readonly PlannedCell[]): ReadonlyMap<Scenario, readonly PlannedCell[]> {
  return Map.groupBy(cells, ({ cell }) => cell.scenario);
}

/**
 * Before the rows of each scenario, for each service, with that kind of request: Keelson and NestJS have more code to
 * compile than the others. Longest in the rows that are goals; less in a run of short measurements.
 */
export function warmUpSecondsOf(scenario: Scenario, secondsOfMeasurement: number): number {
  const isFrequent = scenario === 'get' || scenario === 'post';
  return isFrequent ? Math.min(18, 18 * secondsOfMeasurement) : Math.min(4, 4 * secondsOfMeasurement);
}

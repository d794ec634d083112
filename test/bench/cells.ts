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
  /** However many are asked for. */
  readonly mostRounds: number;
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

const asManyAsAsked = Number.POSITIVE_INFINITY;
const fewRounds = 3;

/** Over 16 connections all scenarios; the two most frequent also at the edges. */
const cells: readonly PlannedCell[] = [
  ...scenarios.map(scenario => {
    const isFrequent = scenario === 'get' || scenario === 'post';
    return isFrequent
      ? planned(cell(scenario, 16, 0), asManyAsAsked, all)
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

function planned(cell: Cell, mostRounds: number, services: readonly string[]): PlannedCell {
  return { cell, mostRounds, services };
}

export function cellsOf(only: string | undefined): readonly PlannedCell[] {
  return cells.filter(({ cell: { scenario } }) => only === undefined || scenario === only);
}

export function isSameCell(one: Cell, other: Cell): boolean {
  return (
    one.scenario === other.scenario &&
    one.connections === other.connections &&
    one.roundTripMs === other.roundTripMs &&
    one.isEncrypted === other.isEncrypted
  );
}

/** Cells that the same running services are measured in: those as far from the database, as well encrypted. */
export function byPlace(cells: readonly PlannedCell[]): readonly (readonly PlannedCell[])[] {
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
  return isFrequent ? Math.min(18, 4.5 * secondsOfMeasurement) : Math.min(4, secondsOfMeasurement);
}

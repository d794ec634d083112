import { type Scenario, scenarios } from './requests.js';

/** One row of the table: what is asked, over how many connections, how far from the database. */
export interface Cell {
  readonly scenario: Scenario;
  readonly connections: number;
  /** What each round trip to the database takes beside the work. */
  readonly roundTripMs: number;
}

const cell = (scenario: Scenario, connections: number, roundTripMs: number): Cell => ({
  scenario,
  connections,
  roundTripMs,
});

/** Over 16 connections all scenarios; the two most frequent also at the edges. */
const cells: readonly Cell[] = [
  ...scenarios.map(scenario => cell(scenario, 16, 0)),
  ...(['get', 'post'] as const).flatMap(scenario => [
    cell(scenario, 1, 0),
    cell(scenario, 256, 0),
    // Fewer than the pool has, so that what is seen is the distance and not the queue for a connection.
    cell(scenario, 4, 0.5),
    cell(scenario, 16, 0.5),
    cell(scenario, 4, 2),
    cell(scenario, 16, 2),
  ]),
];

export function cellsOf(only: Scenario | undefined): readonly Cell[] {
  return cells.filter(({ scenario }) => only === undefined || scenario === only);
}

export function isSameCell(one: Cell, other: Cell): boolean {
  return (
    one.scenario === other.scenario && one.connections === other.connections && one.roundTripMs === other.roundTripMs
  );
}

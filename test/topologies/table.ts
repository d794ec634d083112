import { type Column, tableWith } from '../outages/table.js';
import type { Found, Scenario } from './topology.js';

export type Row = Pick<Scenario, 'topology' | 'what'> & Found;

const columns: readonly Column<Row>[] = [
  ['topology', ({ topology }) => topology],
  ['what is done', ({ what }) => what],
  ['requests', ({ requests }) => requests],
  ['failed', ({ failed }) => failed],
  ['lost', ({ lost }) => lost],
  ['doubled', ({ doubled }) => doubled],
  ['notes', ({ notes }) => notes ?? ''],
];

/** A Markdown table with a row for each scenario. */
export function tableOf(rows: readonly Row[]): string {
  return tableWith(columns, rows);
}

/**
 * The table with the rows of `table`, and those of `before`, a page with an earlier table, for the scenarios that `table`
 * does not have. In the order of `scenarios`; a row of no scenario is left out.
 */
export function mergedTable(
  before: string,
  table: string,
  scenarios: readonly Pick<Row, 'topology' | 'what'>[],
): string {
  const [titles, dashes, ...rows] = linesIn(table);
  const known = new Map([...linesIn(before), ...rows].map(line => [nameOf(line), line]));
  const merged = scenarios.flatMap(({ topology, what }) => known.get(`${topology} | ${what}`) ?? []);
  return [titles, dashes, ...merged].join('\n');
}

/** The scenarios that the table of a page has rows for. */
export function scenariosIn(page: string): string[] {
  const [, , ...rows] = linesIn(page);
  return rows.map(nameOf);
}

/** Of the table alone: in a page it stands between two marks. */
function linesIn(text: string): string[] {
  const [, table = text] = /<!-- topologies: begin -->([\s\S]*?)<!-- topologies: end -->/.exec(text) ?? [];
  return table.split('\n').filter(line => line.startsWith('|'));
}

function nameOf(line: string): string {
  return line.slice(2).split(' | ').slice(0, 2).join(' | ');
}

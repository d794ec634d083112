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

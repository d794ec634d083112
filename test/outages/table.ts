// Imported by run.ts, which Node runs as it stands: types alone are imported here.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Refusals } from './account.ts';
import type { Row } from './report.ts';
import type { Way } from './request-stream.ts';

export type Column<T> = readonly [title: string, cell: (row: T) => string | number];

const columns: readonly Column<Row>[] = [
  ['outage', ({ name }) => name],
  ['requests', ({ account }) => account.requests],
  ['acknowledged', ({ account }) => account.acknowledged],
  ['refused', ({ account }) => refusalsOf(account.refused) || 0],
  ['lost', ({ account }) => account.lost],
  ['done twice', ({ account }) => account.duplicated],
  ['stored, not confirmed', ({ account }) => account.unconfirmed],
  ['longest', ({ account }) => seconds(account.longestMs)],
  ['first success', ({ account }) => milliseconds(account.firstSuccessMs)],
  ['attempts per request', ({ account }) => account.attemptsPerRequest.toFixed(2)],
  ['retries', ({ account }) => `${account.retries} of ${Math.floor(account.retriesAllowed)}`],
];

/** A Markdown table with a row for each outage. */
export function tableOf(rows: readonly Row[]): string {
  return tableWith(columns, rows);
}

export function tableWith<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [
    columns.map(([title]) => title),
    columns.map(() => '---'),
    ...rows.map(row => columns.map(([, cell]) => String(cell(row)))),
  ];
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

/** `outages`: the table of the last run. `repeated`: what many runs in a row have found. `topologies`: of the page of these. */
export type Place = 'outages' | 'repeated' | 'topologies';

const frameOf = (place: Place) => new RegExp(`(<!-- ${place}: begin -->)[\\s\\S]*?(<!-- ${place}: end -->)`);

/** Puts `text` into its place on `page`, instead of what was there. */
export function writeInto(page: string, place: Place, text: string): void {
  const before = readFileSync(page, 'utf8');
  writeFileSync(
    page,
    before.replace(frameOf(place), (_all, begin: string, end: string) => `${begin}\n${text}\n${end}`),
  );
}

/** The outages that the table of `page` speaks of. */
export function outagesIn(page: string): string[] {
  const table = frameOf('outages').exec(readFileSync(page, 'utf8'))?.[0] ?? '';
  const [, , ...rows] = table.split('\n').filter(line => line.startsWith('|'));
  return rows.map(row => row.split(' | ')[0]?.slice(2) ?? '');
}

/** `3 orders + 2 sessions: 503 CODE, wait 1 s`, one for each code. */
function refusalsOf(refused: readonly Refusals[]): string {
  const codes = [...new Set(refused.map(({ status, code }) => `${status} ${code}`))].toSorted();
  return codes
    .map(name =>
      refusal(
        name,
        refused.filter(each => `${each.status} ${each.code}` === name),
      ),
    )
    .join('; ');
}

const nouns = {
  orders: 'order',
  sessions: 'session',
  'storms/deadlock': 'unit',
  'storms/serialization': 'unit',
} as const satisfies Record<Way, string>;

function refusal(name: string, alike: readonly Refusals[]): string {
  const counts = { order: 0, session: 0, unit: 0 };
  for (const { way, count } of alike) counts[nouns[way]] += count;
  const told = Object.entries(counts).flatMap(([noun, count]) =>
    count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'}`],
  );
  const waits = alike.flatMap(({ waitSeconds }) => waitSeconds ?? []);
  return `${told.join(' + ')}: ${name}, ${waits.length === 0 ? 'no wait' : `wait ${Math.max(...waits)} s`}`;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '' : `${Math.round(value)} ms`;
}

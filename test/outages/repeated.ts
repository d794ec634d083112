// Imported by run.ts, which Node runs as it stands.
import type { Refusals } from './account.ts';
import type { Report, Row } from './report.ts';
import { seconds, tableWith } from './table.ts';

/** The outage that is many in a row. */
const many = 'stopped again and again';

/** What became of one run of the suite. */
export interface Run {
  readonly number: number;
  readonly seconds: number;
  /** Undefined when it ended before it could tell. */
  readonly report: Report | undefined;
  /** What went wrong outside of the outages: the exit code, or that it took too long. */
  readonly trouble: string | undefined;
}

export function isSound({ report, trouble }: Run): boolean {
  return trouble === undefined && report !== undefined && report.failures.length === 0;
}

/** One line for the terminal, and one for each outage that broke something. */
export function tellRun(run: Run): string {
  const { number, report, trouble } = run;
  const broken = (report?.failures ?? []).map(
    ({ name, message }) => `  ${name}: ${message.split('\n').slice(0, 12).join('\n    ')}`,
  );
  const verdict = isSound(run)
    ? 'all invariants held'
    : `BROKEN (${broken.length > 0 ? `in ${broken.length} ${broken.length === 1 ? 'outage' : 'outages'}` : trouble})`;
  const rows = report?.rows ?? [];
  const p95 = rows.find(({ name }) => name === many)?.account.firstSuccessMs;
  const told = [
    `run ${number}: ${Math.round(run.seconds)} s`,
    verdict,
    `first success in a series of 20 outages: ${p95 === undefined ? 'unknown' : `${Math.round(p95)} ms`} (p95)`,
    `refused: ${refusedIn(rows)}`,
  ];
  return [told.join(', '), ...broken].join('\n');
}

/** The worst of all `runs`, for each outage. */
export function worstOf(runs: readonly Run[]): string {
  const rows = runs.flatMap(({ report }) => report?.rows ?? []);
  const names = [...new Set((runs[0]?.report?.rows ?? []).map(({ name }) => name))];
  const alike = (name: string) => rows.filter(row => row.name === name).map(({ account }) => account);
  return tableWith(
    [
      ['outage', name => name],
      ['requests', name => alike(name).reduce((sum, { requests }) => sum + requests, 0)],
      ['lost', name => Math.max(...alike(name).map(({ lost }) => lost))],
      ['done twice', name => Math.max(...alike(name).map(({ duplicated }) => duplicated))],
      ['orders refused', name => Math.max(...alike(name).map(({ refused }) => count(refused, ['orders'])))],
      ['sessions refused', name => Math.max(...alike(name).map(({ refused }) => count(refused, ['sessions'])))],
      [
        'units refused',
        name =>
          Math.max(...alike(name).map(({ refused }) => count(refused, ['storms/deadlock', 'storms/serialization']))),
      ],
      ['longest', name => seconds(Math.max(...alike(name).map(({ longestMs }) => longestMs)))],
      ['first success', name => milliseconds(alike(name).flatMap(({ firstSuccessMs }) => firstSuccessMs ?? []))],
      ['attempts per request', name => Math.max(...alike(name).map(each => each.attemptsPerRequest)).toFixed(2)],
      ['retries', name => Math.max(...alike(name).map(({ retries }) => retries))],
    ],
    names,
  );
}

/** A paragraph and a table for docs/outages.md. */
export function tellAll(runs: readonly Run[]): string {
  const times = runs.map(run => Math.round(run.seconds));
  const requests = runs
    .flatMap(({ report }) => report?.rows ?? [])
    .reduce((sum, { account }) => sum + account.requests, 0);
  const held =
    runs.length === 1
      ? 'One run: all invariants held.'
      : `${runs.length} consecutive runs: all invariants held in each.`;
  const cost = `${requests} requests; a run took ${Math.min(...times)} to ${Math.max(...times)} s.`;
  return `${held} ${cost} The number of requests is the sum of all runs; every other figure is the worst of all runs.\n\n${worstOf(runs)}`;
}

function refusedIn(rows: readonly Row[]): string {
  const refused = rows.flatMap(({ account }) => account.refused);
  const units = count(refused, ['storms/deadlock', 'storms/serialization']);
  return `${count(refused, ['orders'])} orders, ${count(refused, ['sessions'])} sessions, ${units} units`;
}

function count(refused: readonly Refusals[], ways: readonly Refusals['way'][]): number {
  return refused.filter(({ way }) => ways.includes(way)).reduce((sum, each) => sum + each.count, 0);
}

function milliseconds(values: readonly number[]): string {
  return values.length === 0 ? '' : `${Math.round(Math.max(...values))} ms`;
}

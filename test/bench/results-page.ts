import {
  type BenchResults,
  compared,
  isNoisy,
  type Measure,
  noiseOf,
  startNoiseOf,
  tolerableNoise,
} from './bench-results.js';
import type { Cell } from './cells.js';
import { goals } from './goals.js';
import { table } from './markdown-table.js';
import type { CellResult, Sample } from './measure.js';
import { scenarioTitles } from './requests.js';
import { restartTable } from './restart-table.js';
import { baseline, serviceKind } from './service-kinds.js';
import { median, type Ratio, ratioOf } from './statistics.js';

/** The whole page. */
export function writePage(results: BenchResults): string {
  const { rounds, seconds } = results.options;
  return [
    '# What the ordinary request costs',
    'Written by `npm run bench -- --write`. [The README](README.md) explains what is measured, and how. [The page of missed goals](missed-goals.md) gives the reasons.',
    table(['', ''], results.machine),
    `Each table has up to ${rounds} rounds of ${seconds} s for each service. In each round, the services take turns. A figure is the
median of the rounds. The ratios in brackets compare the service with "bare" within each round: the median, the lowest and the
highest ratio. "bare once more" (A/A) is the same service a second time, and shows the noise: a difference to "bare" that is
not larger than that of "bare once more" means nothing. Where these two differ by more than ${percent(tolerableNoise)}, a line below the table says
that its ratios are not reliable.`,
    '## Goals',
    goalsTable(results),
    '## Requests',
    ...results.cells.flatMap(cellSection),
    '## Counts',
    'One request at a time, after a warm-up. `messages` are those of the protocol of PostgreSQL that the service sends.',
    countsTable(results),
    '## Start until ready',
    startsTable(results),
    doubtsOf([['ms', startNoiseOf(results)]]),
    '## A restart of PostgreSQL under load',
    restartTable(results.restarts),
    '## Parts alone',
    figuresTable(results),
    '',
  ]
    .filter(part => part !== undefined)
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

function goalsTable(results: BenchResults): string {
  const rows = goals.map(({ title, atMost, found, noise }) => {
    const value = found(results);
    const verdict = value === undefined ? 'not measured' : value <= atMost ? 'met' : '**missed**';
    const differ = value === undefined ? undefined : noise?.(results);
    const doubt = isNoisy(differ) ? `, not reliable: A/A differ by ${percent(differ)}` : '';
    return [title, `<= ${atMost}`, value === undefined ? '' : value.toFixed(2), verdict + doubt];
  });
  return table(['what', 'goal', 'found', ''], rows);
}

const columns: readonly (readonly [Measure, title: string, digits: number])[] = [
  ['requestsPerSecond', 'requests/s', 0],
  ['p50Ms', 'p50 ms', 1],
  ['p99Ms', 'p99 ms', 1],
  ['serviceCpuUs', 'CPU us', 0],
  ['databaseCpuUs', 'CPU of PostgreSQL us', 0],
  ['residentMb', 'resident MB', 0],
];

function cellSection(result: CellResult): (string | undefined)[] {
  const rows = [...result.samples].map(([name, samples]) => [
    serviceKind(name).title,
    ...columns.map(([measure, , digits]) => {
      const value = median(samples.map(sample => sample[measure])).toFixed(digits);
      const beside = name === baseline ? undefined : compared(result, measure, name, baseline);
      return beside === undefined ? value : `${value} (${writeRatio(beside)})`;
    }),
    failuresOf(samples),
  ]);
  const rounds = Math.max(...[...result.samples.values()].map(samples => samples.length));
  const head = `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`;
  return [
    `### ${titleOf(result.cell)}`,
    table([head, ...columns.map(([, title]) => title), 'failed'], rows),
    doubtsOf(columns.map(([measure, title]) => [title, noiseOf(result, measure)])),
  ];
}

function titleOf({ scenario, connections, roundTripMs, isEncrypted }: Cell): string {
  const over = connections === 1 ? '1 connection' : `${connections} connections`;
  const distance = roundTripMs === 0 ? '' : `, ${roundTripMs} ms from the database`;
  return `${scenarioTitles[scenario]}, ${over}${distance}${isEncrypted ? ', TLS to the database' : ''}`;
}

/** Undefined when the same service has the same figures. */
function doubtsOf(figures: readonly (readonly [title: string, noise: number | undefined])[]): string | undefined {
  const doubts = figures.flatMap(([title, noise]) => (isNoisy(noise) ? [`${title} by ${percent(noise)}`] : []));
  if (doubts.length === 0) return undefined;
  return `**Not reliable**: the two bare services differ in ${doubts.join(', ')}.`;
}

function failuresOf(samples: readonly Sample[]): string {
  const counts = new Map<string, number>();
  for (const [status, count] of samples.flatMap(({ failures }) => Object.entries(failures))) {
    counts.set(status, (counts.get(status) ?? 0) + count);
  }
  return counts.size === 0 ? '0' : [...counts].map(([status, count]) => `${count} x ${status}`).join(', ');
}

function countsTable({ counts }: BenchResults): string {
  const rows = [...counts].flatMap(([name, scenarios]) =>
    [...scenarios].map(([scenario, { messages, roundTrips, statements, allocatedKb }]) => [
      serviceKind(name).title,
      scenarioTitles[scenario],
      ...[messages, roundTrips, statements].map(String),
      allocatedKb.toFixed(0),
    ]),
  );
  return table(['', '', 'messages', 'round trips', 'statements', 'allocated KB'], rows);
}

function startsTable({ starts }: BenchResults): string {
  const bare = starts.get(baseline) ?? [];
  const rows = [...starts].map(([name, times]) => [
    serviceKind(name).title,
    median(times).toFixed(0),
    name === baseline ? '' : writeRatio(ratioOf(times, bare)),
  ]);
  return table(['', 'ms', '/ bare'], rows);
}

function figuresTable({ figures }: BenchResults): string {
  if (figures.length === 0) return 'Not measured in this run.';
  return table(
    ['', ''],
    figures.map(({ name, value, unit }) => [name, `${value.toFixed(2)} ${unit}`]),
  );
}

function writeRatio({ median, lowest, highest }: Ratio): string {
  return `${median.toFixed(2)}; ${lowest.toFixed(2)} to ${highest.toFixed(2)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

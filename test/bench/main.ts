import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { guard, release as releaseGuard } from '@keelson/test-support/guardian';
import { BenchDatabase } from './bench-database.js';
import type { BenchResults } from './bench-results.js';
import { countsOf } from './counts.js';
import { type CellResult, type MeasurePlace, measureCells, progress } from './measure.js';
import { type MicroFigure, readFigures, reportVariable } from './micro-report.js';
import { type BenchOptions, countedIn, readOptions, usage } from './options.js';
import { plannedMinutes } from './plan.js';
import { onMadePackages, preparePackages } from './prepare-packages.js';
import { preparePeers } from './prepare-peers.js';
import { canMeasureProcesses } from './process-usage.js';
import { measureRestarts, type RestartResult } from './restart.js';
import { writePage } from './results-page.js';
import { measureStarts } from './start-times.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = fileURLToPath(new URL('results.md', import.meta.url));

/** Returns the exit code of the process. */
export async function main(words: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = readOptions(words);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options.files.length > 0) return runMicroBenches(options.files);
  if (!canMeasureProcesses) {
    console.error('The bench reads the CPU time of processes from /proc, which only Linux has.');
    return 2;
  }
  preparePeers();
  preparePackages();
  const directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  guard(directory);
  try {
    const { results, failures } = await runAll({ ...options, kinds: options.kinds.map(onMadePackages) }, directory);
    const text = writePage(results);
    if (options.write) writeFileSync(page, text);
    else console.log(text);
    for (const failure of failures) console.error('Not everything was measured:', failure);
    return failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
    releaseGuard(directory);
  }
}

interface Run {
  readonly results: BenchResults;
  /** Why something was not measured. */
  readonly failures: readonly unknown[];
}

async function runAll(options: BenchOptions, directory: string): Promise<Run> {
  progress(`this takes about ${Math.ceil(plannedMinutes(options))} minutes`);
  // First, while nothing else runs.
  const figures = options.only === undefined ? microFigures(directory) : [];
  await using database = await BenchDatabase.start();
  const place = { database, directory };
  const counts = await measureCounts(options, place);
  const starts = await measureStarts(options, place);
  const machine = await describeMachine(database);
  const restarts = new Map<string, RestartResult>();
  const cells: CellResult[] = [];
  const hasRestarts = options.only === undefined || options.only === 'restart';
  const failures: unknown[] = [];
  const keep = (failure: unknown) => void failures.push(failure);
  if (hasRestarts) await measureRestarts(options, place, restarts).catch(keep);
  await measureCells(options, place, cells).catch(keep);
  return { results: { machine, options, cells, starts, counts, restarts, figures }, failures };
}

function microFigures(directory: string): MicroFigure[] {
  const file = join(directory, 'figures');
  const status = runMicroBenches([], { [reportVariable]: file });
  if (status !== 0) progress(`the micro benches ended with ${status}; the requests do not depend on them`);
  return readFigures(file);
}

/** Each bench in one of the projects alone, and one after another: a figure is that of a machine without other work. */
const once = ['--project', 'alone (bench)', '--no-file-parallelism'];

function runMicroBenches(files: readonly string[], variables: NodeJS.ProcessEnv = {}): number {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'bench', '--run', ...once, ...files], {
    cwd: root,
    env: { ...process.env, ...variables },
    stdio: ['ignore', 2, 2],
  });
  return status ?? 1;
}

async function measureCounts({ kinds, only }: BenchOptions, { database, directory }: MeasurePlace) {
  const counted = countedIn(only);
  const counts = new Map<string, Awaited<ReturnType<typeof countsOf>>>();
  for (const kind of kinds) {
    progress(`counting what ${kind.name} sends and allocates`);
    const logFile = join(directory, `${kind.name}.log`);
    counts.set(kind.name, await countsOf(kind, { databaseUrl: database.url, logFile }, counted));
  }
  return counts;
}

async function describeMachine(database: BenchDatabase) {
  const [cpu] = cpus();
  return [
    ['processor', `${cpu?.model.trim()}, ${cpus().length} cores`],
    ['memory', `${Math.round(totalmem() / 2 ** 30)} GB`],
    ['system', `${process.platform} ${release()}`],
    ['Node', process.versions.node],
    ['PostgreSQL', `${await database.version()} on loopback, without fsync`],
    ['date', new Date().toISOString().slice(0, 10)],
  ] as const;
}

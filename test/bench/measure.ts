import { join } from 'node:path';
import { assertAlike } from './alike.js';
import type { BenchDatabase } from './bench-database.js';
import { type Cell, cellsOf } from './cells.js';
import { DelayProxy } from './delay-proxy.js';
import { Load } from './load.js';
import type { LoadResult } from './load-order.js';
import type { BenchOptions } from './options.js';
import { cpuUsOfTree } from './process-usage.js';
import { RunningService } from './running-service.js';

/** What one service did in one round of one cell. */
export interface Sample {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the process of the service, for each request. */
  readonly serviceCpuUs: number;
  /** Of all processes of PostgreSQL, for each request. */
  readonly databaseCpuUs: number;
  /** Right after the load. */
  readonly residentMb: number;
  /** How often each status of 400 and above was the answer, and how often there was none. */
  readonly failures: LoadResult['failures'];
}

export interface CellResult {
  readonly cell: Cell;
  /** By the name of the service, in the order of the rounds. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** Before the first cell, for each service: all of its code has been compiled then. */
const warmUpSeconds = 20;
/** Before each measurement: its connections are open, and what it needs is in the caches. */
const leadInSeconds = 0.5;

export interface MeasurePlace {
  readonly database: BenchDatabase;
  readonly directory: string;
}

/**
 * All cells, with services that stay as long as the distance to the database is the same. Adds each to `results` when it is
 * done: what was measured before an error is not lost.
 */
export async function measureCells(options: BenchOptions, place: MeasurePlace, results: CellResult[]): Promise<void> {
  const byDistance = Map.groupBy(cellsOf(options.only), ({ roundTripMs }) => roundTripMs);
  for (const [roundTripMs, cells] of byDistance) {
    await measureAtDistance(roundTripMs, cells, options, place, results);
  }
}

async function measureAtDistance(
  roundTripMs: number,
  cells: readonly Cell[],
  options: BenchOptions,
  { database, directory }: MeasurePlace,
  results: CellResult[],
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const load = stack.use(new Load());
  const proxy = roundTripMs === 0 ? undefined : stack.use(await DelayProxy.start(database.url, roundTripMs));
  const databaseUrl = proxy?.url(database.url) ?? database.url;
  const services: RunningService[] = [];
  for (const kind of options.kinds) {
    const logFile = join(directory, `${kind.name}.log`);
    services.push(stack.use(await RunningService.start(kind, { databaseUrl, logFile })));
  }
  await assertAlike(services);
  await warmUp(services, load, cells, options);
  for (const cell of cells) results.push(await measureCell(cell, services, load, database, options));
}

async function warmUp(services: readonly RunningService[], load: Load, cells: readonly Cell[], options: BenchOptions) {
  const scenarios = [...new Set(cells.map(({ scenario }) => scenario))];
  const seconds = Math.min(warmUpSeconds, 5 * options.seconds) / scenarios.length;
  for (const { port, kind } of services) {
    progress(`warming up ${kind.name}`);
    for (const scenario of scenarios) await load.run({ port, connections: 16, scenario, seconds });
  }
}

/** In each round all services, each round beginning with another one. */
async function measureCell(
  cell: Cell,
  services: readonly RunningService[],
  load: Load,
  database: BenchDatabase,
  { rounds, seconds }: BenchOptions,
): Promise<CellResult> {
  const samples = new Map<string, Sample[]>(services.map(({ kind }) => [kind.name, []]));
  for (let round = 0; round < rounds; round++) {
    progress(`${describeCell(cell)}, round ${round + 1} of ${rounds}`);
    const first = round % services.length;
    for (const service of [...services.slice(first), ...services.slice(0, first)]) {
      await database.refresh();
      samples.get(service.kind.name)?.push(await measureOnce(cell, service, load, database, seconds));
    }
  }
  return { cell, samples };
}

async function measureOnce(
  { scenario, connections }: Cell,
  service: RunningService,
  load: Load,
  database: BenchDatabase,
  seconds: number,
): Promise<Sample> {
  const order = { port: service.port, connections, scenario };
  await load.run({ ...order, seconds: Math.min(leadInSeconds, seconds) });
  const before = { service: service.cpuUs, database: cpuUsOfTree(database.pid) };
  const result = await load.run({ ...order, seconds });
  return {
    requestsPerSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    serviceCpuUs: (service.cpuUs - before.service) / result.requests,
    databaseCpuUs: (cpuUsOfTree(database.pid) - before.database) / result.requests,
    residentMb: service.residentMb,
    failures: result.failures,
  };
}

export function describeCell({ scenario, connections, roundTripMs }: Cell): string {
  return `${scenario}, ${connections} connections, ${roundTripMs} ms`;
}

export function progress(what: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${what}\n`);
}

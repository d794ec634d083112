import { join } from 'node:path';
import { canMakeCertificates } from '@keelson/test-support/certificates';
import { assertAlike } from './alike.js';
import type { BenchDatabase } from './bench-database.js';
import { byScenario, type Cell, isSameCell, type PlannedCell, runsOf, warmUpSecondsOf } from './cells.js';
import { DelayProxy } from './delay-proxy.js';
import { Load } from './load.js';
import type { LoadResult } from './load-order.js';
import type { BenchOptions } from './options.js';
import { cpuUsOfTree } from './process-usage.js';
import type { Scenario } from './requests.js';
import { RunningService } from './running-service.js';
import type { ServiceKind } from './service-kinds.js';

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

/** Before each measurement: its connections are open, and what it needs is in the caches. */
export const leadInSeconds = 0.3;

export interface MeasurePlace {
  readonly database: BenchDatabase;
  readonly directory: string;
}

/** All cells. Adds each to `results` when it is done: what was measured before an error is not lost. */
export async function measureCells(options: BenchOptions, place: MeasurePlace, results: CellResult[]): Promise<void> {
  for (const cells of runsOf(options.only)) {
    const [first] = cells;
    if (first === undefined) continue;
    if (first.cell.isEncrypted && !canMakeCertificates) progress('no rows with TLS: there is no openssl here');
    else await measureAtPlace(first.cell, cells, options, place, results);
  }
}

async function measureAtPlace(
  { roundTripMs, isEncrypted }: Cell,
  cells: readonly PlannedCell[],
  options: BenchOptions,
  { database, directory }: MeasurePlace,
  results: CellResult[],
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const load = stack.use(new Load());
  const url = isEncrypted ? database.encryptedUrl : database.url;
  const proxy = roundTripMs === 0 ? undefined : stack.use(await DelayProxy.start(url, roundTripMs));
  const databaseUrl = proxy?.url(url) ?? url;
  const services: RunningService[] = [];
  for (const kind of kindsIn(cells, options)) {
    const logFile = join(directory, `${kind.name}.log`);
    services.push(stack.use(await RunningService.start(kind, { databaseUrl, logFile })));
  }
  await assertAlike(services);
  await database.assertEncryption(isEncrypted);
  for (const [scenario, alike] of byScenario(cells)) {
    await warmUp(scenario, servicesIn(alike, services), load, warmUpSecondsOf(scenario, options.seconds));
    for (const planned of alike) {
      addTo(results, await measureCell(planned, servicesIn([planned], services), load, database, options));
    }
  }
}

/** The rounds of other processes follow those that are there. */
function addTo(results: CellResult[], found: CellResult): void {
  const index = results.findIndex(({ cell }) => isSameCell(cell, found.cell));
  const before = results[index];
  if (before === undefined) results.push(found);
  else results[index] = { cell: found.cell, samples: joined(before.samples, found.samples) };
}

function joined(before: CellResult['samples'], after: CellResult['samples']): CellResult['samples'] {
  return new Map([...before].map(([name, samples]) => [name, [...samples, ...(after.get(name) ?? [])]]));
}

export function kindsIn(cells: readonly PlannedCell[], { kinds }: BenchOptions): readonly ServiceKind[] {
  return kinds.filter(({ name }) => cells.some(({ services }) => services.includes(name)));
}

function servicesIn(cells: readonly PlannedCell[], all: readonly RunningService[]): readonly RunningService[] {
  return all.filter(({ kind }) => cells.some(({ services }) => services.includes(kind.name)));
}

async function warmUp(scenario: Scenario, services: readonly RunningService[], load: Load, seconds: number) {
  for (const { port, kind } of services) {
    progress(`warming up ${kind.name} with ${scenario}`);
    await load.run({ port, connections: 16, scenario, seconds });
  }
}

/** In each round all services, each round beginning with another one. */
async function measureCell(
  { cell, roundsOf }: PlannedCell,
  services: readonly RunningService[],
  load: Load,
  database: BenchDatabase,
  options: BenchOptions,
): Promise<CellResult> {
  const samples = new Map<string, Sample[]>(services.map(({ kind }) => [kind.name, []]));
  const rounds = roundsOf(options.rounds);
  for (let round = 0; round < rounds; round++) {
    progress(`${describeCell(cell)}, round ${round + 1} of ${rounds}`);
    const first = round % services.length;
    for (const service of [...services.slice(first), ...services.slice(0, first)]) {
      await database.refresh();
      samples.get(service.kind.name)?.push(await measureOnce(cell, service, load, database, options.seconds));
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

function describeCell({ scenario, connections, roundTripMs, isEncrypted }: Cell): string {
  return `${scenario}, ${connections} connections, ${roundTripMs} ms${isEncrypted ? ', TLS' : ''}`;
}

export function progress(what: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${what}\n`);
}

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Ledger, type LedgerReport } from '@keelson/test-support/ledger';
import { BenchDatabase } from './bench-database.js';
import { Load } from './load.js';
import { type MeasurePlace, progress } from './measure.js';
import type { BenchOptions } from './options.js';
import { isAcknowledged, type OrderEnding, OrderStream } from './order-stream.js';
import { RunningService } from './running-service.js';
import type { ServiceKind } from './service-kinds.js';

/** What became of the orders that were sent to one service while PostgreSQL was restarted. */
export interface RestartResult {
  readonly sent: number;
  readonly acknowledged: number;
  /** Any other answer, or none. */
  readonly failed: number;
  /** From the server being back to the first order that ended well; undefined when none did. */
  readonly firstSuccessMs: number | undefined;
  readonly longestWaitMs: number;
  /** Acknowledged, and not stored. */
  readonly lost: number;
  /** Stored more than once. */
  readonly doubled: number;
  /** Stored, and not acknowledged. */
  readonly unconfirmed: number;
  /** The process of the service has ended by itself. */
  readonly hasEnded: boolean;
}

export const restartMeasure = {
  clients: 16,
  ordersPerSecond: 20,
  warmUpSeconds: 3,
  beforeSeconds: 3,
  /** From the server being back. */
  afterSeconds: 6,
  /** When a client gives up on an order. */
  clientTimeoutMs: 20_000,
} as const;

/** Each service beside a server of its own; adds each to `results` when it is done. */
export async function measureRestarts(
  { kinds }: BenchOptions,
  { directory }: Pick<MeasurePlace, 'directory'>,
  results: Map<string, RestartResult>,
): Promise<void> {
  await using database = await BenchDatabase.start();
  for (const kind of kinds.filter(({ role }) => role === 'stack')) {
    progress(`a restart of PostgreSQL under ${kind.name}`);
    results.set(kind.name, await measureRestart(kind, { database, directory }));
  }
}

async function measureRestart(kind: ServiceKind, { database, directory }: MeasurePlace): Promise<RestartResult> {
  const { clients, ordersPerSecond, clientTimeoutMs, ...seconds } = restartMeasure;
  const logFile = join(directory, `${kind.name}.log`);
  await using service = await RunningService.start(kind, { databaseUrl: database.url, logFile });
  await warmUp(service, seconds.warmUpSeconds);
  await database.refresh();
  await database.checkpoint();
  using ledger = new Ledger(join(directory, `${kind.name}.ledger`));
  const stream = new OrderStream({ port: service.port, ledger, clients, ordersPerSecond, clientTimeoutMs });
  await pause(seconds.beforeSeconds * 1_000);
  await database.crash();
  const backAtMs = performance.now();
  await pause(seconds.afterSeconds * 1_000);
  await stream.end();
  const report = ledger.compare(await database.quantities());
  if (report.unknown.length > 0) throw new Error(`${report.unknown.length} orders are stored that were not sent.`);
  return restartResultOf(stream.endings, report, backAtMs, !service.isRunning);
}

async function warmUp({ port }: RunningService, seconds: number): Promise<void> {
  await using load = new Load();
  await load.run({ port, connections: restartMeasure.clients, scenario: 'post', seconds });
}

export function restartResultOf(
  endings: readonly OrderEnding[],
  report: LedgerReport,
  backAtMs: number,
  hasEnded: boolean,
): RestartResult {
  const successes = endings.filter(isAcknowledged);
  const afterwards = successes.map(({ endedAtMs }) => endedAtMs).filter(endedAtMs => endedAtMs >= backAtMs);
  return {
    sent: endings.length,
    acknowledged: successes.length,
    failed: endings.length - successes.length,
    firstSuccessMs: afterwards.length === 0 ? undefined : Math.min(...afterwards) - backAtMs,
    longestWaitMs: Math.max(0, ...endings.map(({ beganAtMs, endedAtMs }) => endedAtMs - beganAtMs)),
    lost: report.lost.length,
    doubled: report.duplicated.length,
    unconfirmed: report.refusedButStored.length + report.unacknowledgedButStored.length,
    hasEnded,
  };
}

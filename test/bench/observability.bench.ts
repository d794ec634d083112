import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guard, release } from '@keelson/test-support/guardian';
import { expect, onTestFinished, test } from 'vitest';
import { BenchDatabase } from './bench-database.js';
import { FaultlessLoad, heapCountsOf } from './counts.js';
import { reportVariable } from './micro-report.js';
import { observedKinds } from './observed-kinds.js';
import { canMeasureProcesses } from './process-usage.js';
import { RunningService } from './running-service.js';
import type { ServiceKind } from './service-kinds.js';
import { median } from './statistics.js';

/** Of each service; the first third warms it up. */
const rounds = Number(process.env.OBSERVED_ROUNDS ?? 12);
const seconds = Number(process.env.OBSERVED_SECONDS ?? 2);
const connections = 16;

/** What a GET allocates and the CPU that it takes, beside the same service without the slots. Not in a whole run: it takes minutes. */
test.skipIf(process.env[reportVariable] !== undefined || !canMeasureProcesses)(
  'what telemetry and metrics cost a request, and that none costs nothing',
  { timeout: 1_800_000 },
  async () => {
    await using stack = new AsyncDisposableStack();
    const receiver = await startReceiver();
    const database = stack.use(await BenchDatabase.start());
    const load = stack.use(new FaultlessLoad());
    const directory = benchFolder();
    const rows: Row[] = [];
    for (const kind of Object.values(observedKinds(receiver))) {
      const place = { databaseUrl: database.url, logFile: join(directory, `${rows.length}.log`) };
      const service = stack.use(await RunningService.start(kind, place));
      // First for all: what is counted depends on how much is compiled.
      const { allocatedKb, promotedKb } = await heapCountsOf('get', service, load);
      rows.push({ kind, service, allocatedKb, promotedKb, cpuUs: [] });
    }
    for (let round = 0; round < rounds; round++) {
      const first = round % rows.length;
      for (const { service, cpuUs } of [...rows.slice(first), ...rows.slice(0, first)]) {
        const before = service.cpuUs;
        const { requests } = await load.run({ port: service.port, connections, scenario: 'get', seconds });
        cpuUs.push((service.cpuUs - before) / requests);
      }
    }
    const [base] = rows;
    if (base === undefined) throw new Error('Nothing was measured.');
    for (const { kind, allocatedKb, promotedKb, cpuUs } of rows) {
      const warm = cpuUs.map((us, round) => us / (base.cpuUs[round] ?? Number.NaN)).slice(rounds / 3);
      const counted = `${allocatedKb.toFixed(1)} KB (${promotedKb.toFixed(1)} KB kept)`;
      console.log(`${kind.title}: ${counted}, ${median(warm).toFixed(2)} x the CPU, ${warm.length} rounds`);
    }
    expect(rows.every(({ cpuUs }) => cpuUs.length === rounds)).toBe(true);
  },
);

interface Row {
  readonly kind: ServiceKind;
  readonly service: RunningService;
  readonly allocatedKb: number;
  readonly promotedKb: number;
  /** For each request, by the round. */
  readonly cpuUs: number[];
}

/** Takes all that is sent. */
async function startReceiver(): Promise<number> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('{}'));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

function benchFolder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  guard(directory);
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
    release(directory);
  });
  return directory;
}

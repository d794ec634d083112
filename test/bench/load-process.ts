// Runs as a process of its own, started by load.ts: sends requests over connections that it keeps open.
import { type Answered, LoadConnection } from './load-connection.ts';
import type { LoadOrder, LoadResult } from './load-order.ts';
import { requestsOf } from './requests.ts';

let connections: LoadConnection[] = [];
let openTo = '';

process.on('message', async (order: LoadOrder) => {
  process.send?.(await carryOut(order));
});
process.on('disconnect', () => process.exit());

async function carryOut(order: LoadOrder): Promise<LoadResult | { readonly error: string }> {
  try {
    return await run(order);
  } catch (error) {
    return { error: String(error) };
  }
}

async function run(order: LoadOrder): Promise<LoadResult> {
  await open(order.port, order.connections);
  const requests = requestsOf(order.scenario);
  const tookMs: number[] = [];
  const failures = new Map<number, number>();
  let left = order.requests ?? Number.POSITIVE_INFINITY;
  const startedAtMs = performance.now();
  const endMs = startedAtMs + (order.seconds ?? Number.POSITIVE_INFINITY) * 1_000;

  function record(answered: Answered): void {
    tookMs.push(answered.tookMs);
    if (answered.status >= 400) failures.set(answered.status, (failures.get(answered.status) ?? 0) + 1);
  }

  async function keepSending(connection: LoadConnection): Promise<void> {
    while (left-- > 0 && performance.now() < endMs) {
      const request = requests[Math.floor(Math.random() * requests.length)];
      if (request !== undefined) record(await connection.send(request));
    }
  }

  await Promise.all(connections.map(keepSending));
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const sorted = Float64Array.from(tookMs).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { requests: sorted.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99), failures: Object.fromEntries(failures) };
}

/** Keeps the connections that are open, if they are those that are wanted. */
async function open(port: number, count: number): Promise<void> {
  const wanted = `${port} ${count}`;
  if (wanted === openTo) return;
  for (const connection of connections) connection.close();
  openTo = wanted;
  connections = await Promise.all(Array.from({ length: count }, () => LoadConnection.open(port)));
}

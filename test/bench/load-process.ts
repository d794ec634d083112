// Runs as a process of its own, started by load.ts: sends requests over connections that it keeps open.
import { LoadConnection } from './load-connection.ts';
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
  const all: number[] = [];
  const failures = new Map<string, number>();
  let left = order.requests ?? Number.POSITIVE_INFINITY;
  const startedAtMs = performance.now();
  const endMs = startedAtMs + (order.seconds ?? Number.POSITIVE_INFINITY) * 1_000;

  const failed = (how: string) => failures.set(how, (failures.get(how) ?? 0) + 1);

  async function sendOne(index: number, request: Buffer): Promise<void> {
    try {
      const { status, tookMs } = await connectionAt(index).send(request);
      all.push(tookMs);
      if (status >= 400) failed(String(status));
    } catch {
      failed('closed connection');
      connections[index] = await LoadConnection.open(order.port);
    }
  }

  async function keepSending(index: number): Promise<void> {
    while (left-- > 0 && performance.now() < endMs) {
      const request = requests[Math.floor(Math.random() * requests.length)];
      if (request !== undefined) await sendOne(index, request);
    }
  }

  await Promise.all(connections.map((_, index) => keepSending(index)));
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const sorted = Float64Array.from(all).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { requests: sorted.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99), failures: Object.fromEntries(failures) };
}

function connectionAt(index: number): LoadConnection {
  const connection = connections[index];
  if (connection === undefined) throw new Error(`There is no connection ${index}.`);
  return connection;
}

/** Keeps the connections that are open, if they are those that are wanted. */
async function open(port: number, count: number): Promise<void> {
  const wanted = `${port} ${count}`;
  if (wanted === openTo) return;
  for (const connection of connections) connection.close();
  openTo = wanted;
  connections = await Promise.all(Array.from({ length: count }, () => LoadConnection.open(port)));
}

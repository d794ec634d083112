import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { begins, type Finding, type Order } from './order.ts';

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url));

// What a run leaves behind dies young: with more room for it, less of it is copied.
const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=64'];

/** Longest time for one seed, in ms; most take less than a second. */
const seedMs = 100_000;
/** The same for a seed that may be shrunk, which runs it up to 60 times. */
const shrinkMs = 900_000;

/**
 * Runs one process for an order; `onFinding` gets what it finds. Rejects with what the process has said when it fails, and when a
 * seed does not end; the message names the seed.
 */
export function send(order: Order, onFinding: (finding: Finding) => void): Promise<void> {
  const child = spawn(process.execPath, [...flags, worker, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // What one process has compiled of the packages, the others need not compile again.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'), ...process.env },
  });
  const silentMs = order.shrinks ? shrinkMs : seedMs;
  let said = '';
  let seed = 'before its first seed';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const timer = setTimeout(() => {
    said += `the run has not ended within ${silentMs / 1_000} s\n`;
    child.kill('SIGKILL');
  }, silentMs);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', line => {
    timer.refresh();
    if (line.startsWith(begins)) seed = `in seed ${line.slice(begins.length)}`;
    else if (line.startsWith('{')) onFinding(JSON.parse(line));
    else said += `${line}\n`;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`a process that simulates ended with ${code} ${seed}: ${said}`));
    });
  });
}

/** The seeds of the order, shared among so many processes. */
export async function sendAll(
  order: Omit<Order, 'step'>,
  processes: number,
  onFinding: (finding: Finding) => void,
): Promise<void> {
  if (order.seeds !== undefined) {
    const { seeds } = order;
    const shares = Array.from({ length: processes }, (_, at) => seeds.filter((__, place) => place % processes === at));
    await Promise.all(shares.map(share => send({ ...order, seeds: share, step: 1 }, onFinding)));
    return;
  }
  const each = Math.ceil(order.count / processes);
  const orders = Array.from({ length: processes }, (_, at) => ({
    ...order,
    from: order.from + at,
    step: processes,
    count: Math.min(each, Math.ceil((order.count - at) / processes)),
  }));
  await Promise.all(orders.filter(({ count }) => count > 0).map(part => send(part, onFinding)));
}

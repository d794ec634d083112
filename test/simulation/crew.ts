import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Finding, Order } from './order.ts';

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url));

/** Runs one process for an order; `onFinding` gets what it finds. Rejects with what the process has said when it fails. */
export function send(order: Order, onFinding: (finding: Finding) => void): Promise<void> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', worker, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // What one process has compiled of the packages, the others need not compile again.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'), ...process.env },
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', line => {
    if (line.startsWith('{')) onFinding(JSON.parse(line));
    else said += `${line}\n`;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      if (code === 0) resolve();
      else reject(new Error(`a process that simulates ended with ${code}: ${said}`));
    });
  });
}

/** The seeds from `from` on, shared among so many processes. */
export async function sendAll(
  order: Omit<Order, 'step'>,
  processes: number,
  onFinding: (finding: Finding) => void,
): Promise<void> {
  const each = Math.ceil(order.count / processes);
  const orders = Array.from({ length: processes }, (_, at) => ({
    ...order,
    from: order.from + at,
    step: processes,
    count: Math.min(each, Math.ceil((order.count - at) / processes)),
  }));
  await Promise.all(orders.filter(({ count }) => count > 0).map(part => send(part, onFinding)));
}

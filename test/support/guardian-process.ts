// Runs as a process of its own, started by guardian.ts: reads what to guard from its standard input, one JSON line
// each, and when that ends (the process that started it has ended, however it ended) stops and removes all of it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { postmasterIn } from './postmaster-file.ts';
import { childrenOf, sendSignal, waitUntilGone } from './processes.ts';

const processes = new Set<number>();
const directories = new Set<string>();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const order: { guard?: number | string; release?: number | string } = JSON.parse(line);
  if (typeof order.guard === 'number') processes.add(order.guard);
  if (typeof order.guard === 'string') directories.add(order.guard);
  if (typeof order.release === 'number') processes.delete(order.release);
  if (typeof order.release === 'string') directories.delete(order.release);
}

await Promise.all([...processes].map(stop));
// What runs a server may have started it as no child of its own, and is gone now.
await Promise.all([...directories].flatMap(directory => postmasterIn(join(directory, 'data')) ?? []).map(stop));
for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });

/** SIGQUIT lets PostgreSQL give back its shared memory; what has not gone by then, and its children, is killed. */
async function stop(pid: number): Promise<void> {
  const family = [pid, ...childrenOf(pid)];
  for (const member of family) sendSignal(member, 'SIGCONT');
  sendSignal(pid, 'SIGQUIT');
  if (await waitUntilGone(family, 2_000)) return;
  for (const member of [...family, ...childrenOf(pid)]) sendSignal(member, 'SIGKILL');
  await waitUntilGone(family, 3_000);
}

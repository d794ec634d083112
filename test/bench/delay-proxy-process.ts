// Runs as a process of its own, started by delay-proxy.ts: forwards bytes, and hands the answers on after a delay.
// A timer of Node is too coarse for less than a millisecond: while something waits, it sleeps in short slices instead,
// and looks for new bytes after each.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

interface Delayed {
  readonly dueMs: number;
  readonly client: Socket;
  readonly chunk: Buffer;
}

const [toPort = Number.NaN, delayMs = Number.NaN] = process.argv.slice(2).map(Number);

const sliceMs = 0.05;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
const answers: Delayed[] = [];

const listener = createServer({ noDelay: true }, client => {
  const server = connect({ port: toPort, host: '127.0.0.1', noDelay: true });
  client.on('data', chunk => server.write(chunk));
  server.on('data', chunk => delay(client, chunk));
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
});
listener.listen(0, '127.0.0.1', () => process.send?.({ port: (listener.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());

function delay(client: Socket, chunk: Buffer): void {
  answers.push({ dueMs: performance.now() + delayMs, client, chunk });
  if (answers.length === 1) setImmediate(handOn);
}

/** All wait equally long, so the first is due first. */
function handOn(): void {
  for (;;) {
    const [next] = answers;
    if (next === undefined) return;
    const waitMs = next.dueMs - performance.now();
    if (waitMs > 0) {
      Atomics.wait(nobodyWakes, 0, 0, Math.min(waitMs, sliceMs));
      setImmediate(handOn);
      return;
    }
    answers.shift();
    if (!next.client.destroyed) next.client.write(next.chunk);
  }
}

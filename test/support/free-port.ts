import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which the system picks local ports for outgoing connections (32768 and up on Linux): a port
// from that range may be gone when a stopped server wants it back, and a client that keeps trying to reach it can
// even connect to itself.
const lowest = 15_000;
const highest = 32_000;

/** A TCP port on 127.0.0.1 that no server listens on, and that stays free while its server is stopped. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

import type { Server } from 'node:http';
import { Server as TcpServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '@keelson/core';
import type { Connections } from './connections.js';

/** No client has connected or was answered for this long: none is about to connect. */
const quietMs = 150;
/** Longest wait for that: some clients connect all the time. */
const waitMs = 2_000;
/** A turn of the event loop that took longer says nothing of who has connected meanwhile. */
const turnMs = 0.25;

/**
 * Stops listening at a moment at which no client is connecting: what the system has accepted and the process has not yet is
 * reset when the port closes. Leaves open connections alone, other than `server.close()`, which destroys idle ones.
 */
export async function closePort(server: Server, connections: Connections, clock: Clock, signal: AbortSignal) {
  const until = clock.now() + waitMs;
  while (clock.now() < until && !signal.aborted) {
    const remainingMs = quietMs - connections.quietForMs;
    if (remainingMs > 0) await clock.sleep(remainingMs, signal).catch(() => {});
    await nextTurn();
    const turnedAt = clock.now();
    // In the turn between these two, who waited to be accepted has been.
    await nextTurn();
    if (clock.now() - turnedAt < turnMs && connections.quietForMs >= quietMs) break;
  }
  if (server.listening) TcpServer.prototype.close.call(server);
}

import type { Server } from 'node:http';
import { Server as TcpServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '@keelson/core';
import type { Connections } from './connections.js';

/** Pause without a connection or an answer, in ms, after which no client is about to connect. */
const quietMs = 150;
/** Longest wait for such a pause, in ms: some clients connect all the time. */
const waitMs = 2_000;
/** After a longer turn of the event loop, in ms, clients may have connected without notice. */
const turnMs = 0.25;

/**
 * Stops listening while no client is connecting: connections that the system has accepted and the process has not are
 * reset when the port closes. Keeps open connections, unlike `server.close()`, which destroys idle ones.
 */
export async function closePort(server: Server, connections: Connections, clock: Clock, signal: AbortSignal) {
  const until = clock.now() + waitMs;
  while (clock.now() < until && !signal.aborted) {
    const remainingMs = quietMs - connections.quietForMs;
    if (remainingMs > 0) await clock.sleep(remainingMs, signal).catch(() => {});
    await nextTurn();
    const turnedAt = clock.now();
    // The turn between these two accepts waiting clients.
    await nextTurn();
    if (clock.now() - turnedAt < turnMs && connections.quietForMs >= quietMs) break;
  }
  if (server.listening) TcpServer.prototype.close.call(server);
}

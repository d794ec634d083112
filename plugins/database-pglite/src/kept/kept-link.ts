import { once } from 'node:events';
import { connect } from 'node:net';
import { protocol } from '@electric-sql/pglite';
import { PgliteError } from '../errors.js';
import type { OnNotification, PgliteLink } from '../pglite-link.js';
import type { WireMessage } from '../wire-messages.js';
import { receiveFrames, sendFrame } from './frames.js';
import { toBytes, toJson, welcome } from './messages.js';

/**
 * Reaches the PGlite that another process keeps open, at `address`. Aborting `signal` ends the wait for it.
 *
 * @throws PgliteError PGLITE_FOLDER_IN_USE, PGLITE_FOLDER_UNUSABLE; the error of the system when nothing listens.
 */
export async function openKept(address: string, signal: AbortSignal): Promise<PgliteLink> {
  const socket = connect(address);
  await once(socket, 'connect', { signal });
  const closed = Promise.withResolvers<void>();
  /** In the order of the requests, and so of the answers. */
  const waiting: PromiseWithResolvers<Uint8Array>[] = [];
  receiveFrames(socket, body => waiting.shift()?.resolve(body));
  socket.on('error', () => undefined);
  socket.once('close', () => {
    for (const { reject } of waiting) reject(new Error('PGlite does not answer any more'));
    closed.resolve();
  });
  const send = async (body: Uint8Array) => {
    if (socket.destroyed || !socket.writable) throw new Error('PGlite does not answer any more');
    const answer = Promise.withResolvers<Uint8Array>();
    waiting.push(answer);
    sendFrame(socket, body);
    return answer.promise;
  };
  const close = async () => {
    socket.end();
    await closed.promise;
  };

  const cancel = () => socket.destroy();
  signal.addEventListener('abort', cancel, { once: true });
  const answer = welcome.parse(toJson(await send(toBytes({ pid: process.pid }))));
  signal.removeEventListener('abort', cancel);
  if (answer.is === 'refused') {
    await close();
    throw new PgliteError({ ...answer, cause: new Error(answer.cause) });
  }

  const listeners = new Set<OnNotification>();
  return {
    async exchange(request) {
      const messages: WireMessage[] = [];
      const data = await send(request);
      new protocol.Parser().parse(new Uint8Array(data), message => {
        if (message.name === 'notification') notify(listeners, message);
        messages.push(message as unknown as WireMessage);
      });
      return messages;
    },
    onNotification(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    // A test kit copies databases in memory; those are in their process.
    dump: () => Promise.reject(new Error('A database that another process keeps open is not copied')),
    close,
  };
}

/** After the answer was read, as PGlite does. */
function notify(listeners: ReadonlySet<OnNotification>, message: object): void {
  const { channel, payload }: { channel?: unknown; payload?: unknown } = message;
  for (const listener of listeners) queueMicrotask(() => listener(String(channel), String(payload)));
}

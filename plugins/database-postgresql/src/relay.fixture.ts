import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';

export interface Relay {
  readonly url: string;
  /** What clients have said. */
  readonly said: Buffer[];
  /** Ends all connections. */
  cut(): void;
  /** Ends all connections at the next ReadyForQuery, which does not arrive. */
  cutBeforeReady(): void;
  close(): void;
}

/** Keeps what the client says; of the server's answers it holds ReadyForQuery back until the rest was read. */
export async function startRelay(to: string): Promise<Relay> {
  let isToBeCut = false;
  const said: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(client => {
    const upstream = connect(Number(new URL(to).port), new URL(to).hostname);
    let delivered = Promise.resolve();
    const deliver = async (bytes: Buffer) => {
      const readyAt = bytes.at(-6) === 0x5a ? bytes.length - 6 : bytes.length;
      client.write(bytes.subarray(0, readyAt));
      for (let turn = 0; turn < 10; turn++) await setImmediate();
      if (isToBeCut && readyAt < bytes.length) cut();
      else client.write(bytes.subarray(readyAt));
    };
    client.on('data', bytes => {
      said.push(bytes);
      upstream.write(bytes);
    });
    upstream.on('data', bytes => {
      delivered = delivered.then(() => deliver(bytes));
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => {}));
      socket.on('close', () => (socket === client ? upstream : client).destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    isToBeCut = false;
    for (const socket of sockets) socket.destroy();
  };
  const cutBeforeReady = () => {
    isToBeCut = true;
  };
  const url = new URL(to);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    cut();
    server.close();
  };
  return { said, url: url.href, cut, cutBeforeReady, close };
}

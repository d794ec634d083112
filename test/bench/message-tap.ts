import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FrameReader } from '@keelson/test-support/frame-reader';

/** Of starting up and closing a connection. */
const uncounted = new Set(['startup', 'ssl', 'cancel', 'p', 'X']);

/** Stands between a client and PostgreSQL, and counts the messages of the protocol that the client sends. */
export class MessageTap implements AsyncDisposable {
  messages = 0;
  readonly #to: number;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(to: number) {
    this.#to = to;
    this.#listener = createServer({ noDelay: true }, client => this.#accept(client));
  }

  static async start(to: number): Promise<MessageTap> {
    const tap = new MessageTap(to);
    await new Promise<void>(resolve => tap.#listener.listen(0, '127.0.0.1', resolve));
    return tap;
  }

  url(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.port = String((this.#listener.address() as AddressInfo).port);
    return url.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise(resolve => this.#listener.close(resolve));
  }

  #accept(client: Socket): void {
    const reader = new FrameReader('frontend', '');
    const server = connect({ port: this.#to, host: '127.0.0.1', noDelay: true });
    client.on('data', chunk => {
      this.messages += reader.push(chunk).filter(({ type }) => !uncounted.has(type)).length;
      server.write(chunk);
    });
    server.on('data', chunk => client.write(chunk));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}

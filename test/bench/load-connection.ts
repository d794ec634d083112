// Imported by load-process.ts, which Node runs as it stands: nothing here may need a build.
import { connect, type Socket } from 'node:net';

export interface Answered {
  readonly status: number;
  readonly tookMs: number;
}

/**
 * One kept-alive HTTP connection that has at most one request on its way. Reads of an answer no more than its status and
 * its length, so that the load takes little of the CPU that it shares with the service.
 */
export class LoadConnection {
  readonly #socket: Socket;
  #settle: { resolve(answered: Answered): void; reject(error: Error): void } | undefined;
  #sentAtMs = 0;
  #status = 0;
  #head = '';
  /** Bytes of the body that have not arrived; undefined before the head has. */
  #missing: number | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#fail(new Error('The service closed the connection.')));
  }

  static open(port: number): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => resolve(new LoadConnection(socket)));
      socket.once('error', reject);
    });
  }

  send(request: Buffer): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#sentAtMs = performance.now();
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#missing === undefined) this.#readHead(chunk);
    else this.#missing -= chunk.length;
    if (this.#missing !== 0) return;
    this.#missing = undefined;
    this.#head = '';
    const tookMs = performance.now() - this.#sentAtMs;
    this.#settle?.resolve({ status: this.#status, tookMs });
  }

  #readHead(chunk: Buffer): void {
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#head.slice(0, end);
    const [, length] = /^content-length: (\d+)/im.exec(head) ?? [];
    this.#status = Number(head.slice(9, 12));
    if (length === undefined) this.#fail(new Error(`An answer without a length:\n${head}`));
    else this.#missing = Number(length) - (this.#head.length - end - 4);
  }

  #fail(error: Error): void {
    this.#settle?.reject(error);
    this.#socket.destroy();
  }
}

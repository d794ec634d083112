import { AsyncLocalStorage } from 'node:async_hooks';
import { Duplex } from 'node:stream';
import type { ClientEnd, Link, Network } from './network.ts';

let network: Network | undefined;

/** Sockets that are made from now on are of this network. */
export function joinNetwork(next: Network): void {
  network = next;
}

/** What `net.Socket` is to pg, on the simulated network. */
export class SimulatedSocket extends Duplex implements ClientEnd {
  bytesRead = 0;
  bytesWritten = 0;
  connecting = false;
  remoteAddress: string | undefined;
  remotePort: number | undefined;
  #target = '';
  #link: Link | undefined;
  #waiting: (() => void) | undefined;
  /** What comes in is handled in the context in which the socket was connected, as Node does. */
  #inContext = <T>(work: () => T): T => work();

  constructor() {
    super({ allowHalfOpen: false, decodeStrings: true });
  }

  connect(port: number | string, host = 'localhost'): this {
    if (network === undefined) throw new Error('there is no network yet');
    if (typeof port === 'string') throw new Error('the simulation has no unix sockets');
    this.connecting = true;
    this.#inContext = AsyncLocalStorage.snapshot();
    this.#target = `${host}:${port}`;
    this.#link = network.connect(host, port, this);
    return this;
  }

  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  connected(address: string, port: number): void {
    if (this.destroyed) return;
    this.connecting = false;
    this.remoteAddress = address;
    this.remotePort = port;
    this.#inContext(() => {
      this.emit('connect');
      this.emit('ready');
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.();
    });
  }

  refused(code: string, syscall: 'connect' | 'getaddrinfo'): void {
    this.connecting = false;
    const [address, port] = this.#target.split(':');
    const facts = { code, syscall, address, port: Number(port) };
    this.#inContext(() => this.destroy(Object.assign(new Error(`${syscall} ${code} ${this.#target}`), facts)));
  }

  data(bytes: Buffer): void {
    if (this.destroyed) return;
    this.bytesRead += bytes.length;
    this.#inContext(() => this.push(bytes));
  }

  ended(isReset: boolean): void {
    if (this.destroyed) return;
    this.#inContext(() => {
      if (isReset) this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
      else this.push(null);
    });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const send = () => {
      this.bytesWritten += chunk.length;
      this.#link?.sendUp(Buffer.from(chunk));
      done();
    };
    if (this.connecting) this.#waiting = send;
    else send();
  }

  override _final(done: () => void): void {
    const end = () => {
      this.#link?.finishUp();
      done();
    };
    if (this.connecting) this.#waiting = end;
    else end();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connecting = false;
    this.#waiting = undefined;
    this.#link?.closeUp();
    done(error);
  }
}

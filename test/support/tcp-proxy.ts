import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.js';
import { type ConnectionOwner, type PlannedCut, ProxiedConnection } from './proxied-connection.js';
import { urlThrough } from './url-through.js';
import { type RoundTrip, WireRecording } from './wire-counter.js';

/**
 * `pass` forwards. `refuse` closes the port (ECONNREFUSED); open connections go on, `cut()` them too when they should
 * not. `blackhole` accepts connections, and neither on these nor on open ones does anything pass; after it, all go on
 * where they were. `lose` is a black hole that forgets: what is sent into it never arrives, and once it is over, open
 * connections pass what comes later. `reset` resets all connections, and each new one.
 */
export type ProxyMode = 'pass' | 'refuse' | 'blackhole' | 'lose' | 'reset';

export interface ProxyCounters {
  /** Connections accepted so far, cancel requests included. */
  connections: number;
  cancelRequests: number;
  roundTrips: number;
  bytesToServer: number;
  bytesToClient: number;
  /** What the server sent, and `lose` forgot. */
  bytesLostToClient: number;
}

export interface TcpProxy extends AsyncDisposable {
  readonly host: '127.0.0.1';
  /** Stays the same in every mode. */
  readonly port: number;
  readonly mode: ProxyMode;
  readonly counters: Readonly<ProxyCounters>;
  /** Connections that are open now. */
  readonly open: number;
  /** Added to every answer, so to every round trip. */
  latencyMs: number;
  /** The same database url, through the proxy. Default: the url it was started with. */
  url(databaseUrl?: string): string;
  setMode(mode: ProxyMode): Promise<void>;
  /** Ends all open connections now. */
  cut(how?: 'destroy' | 'reset'): void;
  /** Nothing passes any more on the connections open now; new ones work. */
  stall(): void;
  /** What the open connections send in this direction is lost from now on, until the next `setMode`. */
  lose(direction: 'toServer' | 'toClient'): void;
  /** Undoes `stall`. */
  resume(): void;
  /**
   * Breaks the next connection that commits: `before` the server hears of it, or `after` the server has answered and
   * before the client gets the answer. `on its way` breaks it for the client alone: the server receives it, and then learns of the
   * end of the connection, at the next `resume`. Resolves when it is done.
   */
  onceAtCommit(when: PlannedCut['when']): Promise<void>;
  /** The same at the next statement that matches. */
  onceAt(statement: RegExp, when: PlannedCut['when']): Promise<void>;
  /** Records round trips from now on. */
  recording(): WireRecording;
  dispose(): Promise<void>;
}

export interface ProxyOptions {
  /** Where to forward to; of a url only host and port matter. */
  to: string | { readonly host: string; readonly port: number };
  latencyMs?: number;
}

/**
 * Stands between a client and PostgreSQL (or, without the methods that speak of statements, any TCP server) and
 * breaks what the test asks for. Does not see into TLS.
 */
export async function startTcpProxy(options: ProxyOptions): Promise<TcpProxy> {
  const proxy = new InProcessProxy(options, await freePort());
  await proxy.setMode('pass');
  return proxy;
}

/** The words that commit: `COMMIT`, also among several statements of one query, and `END` when it stands alone. */
export const commitPattern =
  /(?:^|;)\s*(?:\/\*[\s\S]*?\*\/\s*)*(?:commit\b|end(?:\s+(?:work|transaction))?\s*(?:;|$))/i;

class InProcessProxy implements TcpProxy, ConnectionOwner {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly to: { readonly host: string; readonly port: number };
  latencyMs: number;
  readonly counters: ProxyCounters = {
    connections: 0,
    cancelRequests: 0,
    roundTrips: 0,
    bytesToServer: 0,
    bytesToClient: 0,
    bytesLostToClient: 0,
  };
  readonly #toUrl: string;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #recordings: WireRecording[] = [];
  #mode: ProxyMode = 'refuse';
  #listener: Server | undefined;
  #planned: { pattern: RegExp; cut: PlannedCut }[] = [];

  constructor({ to, latencyMs = 0 }: ProxyOptions, port: number) {
    this.#toUrl = typeof to === 'string' ? to : `tcp://${to.host}:${to.port}`;
    const { hostname, port: toPort } = new URL(this.#toUrl);
    this.to = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(toPort || 5_432) };
    this.port = port;
    this.latencyMs = latencyMs;
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  get open(): number {
    return this.#connections.size;
  }

  url(databaseUrl = this.#toUrl): string {
    return urlThrough(this, databaseUrl);
  }

  async setMode(mode: ProxyMode): Promise<void> {
    this.#mode = mode;
    for (const connection of this.#connections) {
      connection.isLossy = mode === 'lose' ? 'both' : undefined;
      if (mode === 'blackhole') connection.hold();
      if (mode === 'pass') connection.release();
    }
    if (mode === 'reset') this.cut('reset');
    if (mode === 'refuse') await this.#stopListening();
    else await this.#listen();
  }

  cut(how: 'destroy' | 'reset' = 'destroy'): void {
    for (const connection of [...this.#connections]) connection.close(how);
  }

  stall(): void {
    for (const connection of this.#connections) connection.hold();
  }

  lose(direction: 'toServer' | 'toClient'): void {
    for (const connection of this.#connections) connection.isLossy = direction;
  }

  resume(): void {
    for (const connection of this.#connections) connection.release();
  }

  onceAtCommit(when: PlannedCut['when']): Promise<void> {
    return this.onceAt(commitPattern, when);
  }

  onceAt(pattern: RegExp, when: PlannedCut['when']): Promise<void> {
    return new Promise(resolve => this.#planned.push({ pattern, cut: { when, done: resolve } }));
  }

  recording(): WireRecording {
    const recording = new WireRecording();
    this.#recordings.push(recording);
    return recording;
  }

  async dispose(): Promise<void> {
    await this.setMode('refuse');
    this.cut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  takeCut(statement: string): PlannedCut | undefined {
    const planned = this.#planned.find(({ pattern }) => pattern.test(statement));
    this.#planned = this.#planned.filter(other => other !== planned);
    return planned?.cut;
  }

  began(trip: RoundTrip): void {
    this.counters.roundTrips++;
    for (const recording of this.#recordings) recording.trips.push(trip);
  }

  passed(direction: 'toServer' | 'toClient', bytes: number): void {
    if (direction === 'toServer') this.counters.bytesToServer += bytes;
    else this.counters.bytesToClient += bytes;
  }

  lostToClient(bytes: number): void {
    this.counters.bytesLostToClient += bytes;
  }

  closed(connection: ProxiedConnection): void {
    if (this.#connections.delete(connection) && connection.isCancelRequest) this.counters.cancelRequests++;
  }

  async #listen(): Promise<void> {
    if (this.#listener !== undefined) return;
    const listener = createServer({ allowHalfOpen: true }, client => this.#accept(client));
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(this.port, this.host, resolve);
    });
  }

  /** Does not wait for open connections: they may go on. */
  async #stopListening(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
  }

  #accept(client: Socket): void {
    this.counters.connections++;
    if (this.#mode === 'reset') {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const connection = new ProxiedConnection(
      client,
      this.counters.connections,
      this,
      ['blackhole', 'lose'].includes(this.#mode),
    );
    this.#connections.add(connection);
  }
}

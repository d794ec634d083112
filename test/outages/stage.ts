import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { eventually } from '@keelson/test-support/eventually';
import { guard, release } from '@keelson/test-support/guardian';
import type { PostgresServer } from '@keelson/test-support/postgres-server';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { Hosts, type HostsOptions } from './hosts.js';
import { commitProof } from './proof.js';
import type { Vitals } from './vitals.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

export const databaseName = 'orders';
export const initialStock = 1_000_000_000;
export const poolMax = 10;

export interface StageOptions extends HostsOptions {
  /** With a second server that follows the first, and has each commit before it is acknowledged. Default false. */
  readonly standby?: boolean;
  /** With a small file system of its own, where that is possible. Default false. */
  readonly smallDisk?: boolean;
  /** With a PgBouncer in this mode before each server. Default: none. */
  readonly pooler?: 'session' | 'transaction';
}

export interface ServiceOptions {
  /** How long a session may take. */
  readonly deadlineMs: number;
  /** What the budget allows in retries however few calls there are. */
  readonly retriesPerSecond: number;
}

/** Over how long the budget for retries is kept: the default of the retry policy. */
export const budgetWindowMs = 10_000;

/** No connection that the pool does not know of; beside it are those for questions about the server: `keelson control`. */
function isSeenIdle(sessions: Awaited<ReturnType<Hosts['sessions']>>, { pool }: Vitals): boolean {
  const beside = sessions.filter(({ name }) => name.startsWith('keelson '));
  const isKnown = sessions.length - beside.length <= pool.total && beside.length <= 2;
  return isKnown && sessions.every(({ state }) => state === 'idle');
}

/** PostgreSQL, the example service as a process of its own, and a proxy between them. */
export class Stage implements AsyncDisposable {
  readonly directory: string;
  readonly hosts: Hosts;
  /** The orders that the outage before has left, if it was judged. */
  ordersLeft: number | undefined;
  #service: { readonly process: ServiceProcess; readonly options: ServiceOptions } | undefined;
  #heard = { stdout: 0, stderr: 0 };

  private constructor(hosts: Hosts) {
    this.hosts = hosts;
    this.directory = mkdtempSync(join(tmpdir(), 'keelson-outages-'));
    guard(this.directory);
    // So that the configuration finds the packages by their names.
    symlinkSync(`${root}node_modules`, join(this.directory, 'node_modules'), 'junction');
  }

  static async open(options: StageOptions = {}): Promise<Stage> {
    return new Stage(await Hosts.open(databaseName, options));
  }

  /** The server that takes writes. */
  get server(): PostgresServer {
    return this.hosts.server;
  }

  /** In front of `server`. */
  get proxy(): TcpProxy {
    return this.hosts.proxy;
  }

  /** Of `server`, without the proxy. */
  get databaseUrl(): string {
    return this.hosts.databaseUrl;
  }

  get service(): ServiceProcess {
    if (this.#service === undefined) throw new Error('no service has been started');
    return this.#service.process;
  }

  /** A service with these options: the one that runs, if it has them. */
  async serve(options: ServiceOptions): Promise<void> {
    if (isDeepStrictEqual(this.#service?.options, options)) return;
    await this.#service?.process.stop();
    this.#configure(options);
    this.#service = { process: await startService({ directory: this.directory }), options };
    this.#heard = { stdout: 0, stderr: 0 };
    await this.#warmUp();
    this.ordersLeft = undefined;
  }

  /** What the service has printed since the last time that somebody asked. */
  newOutput(): string {
    const { stdout, stderr } = this.service;
    const output = stdout.slice(this.#heard.stdout) + stderr.slice(this.#heard.stderr);
    this.#heard = { stdout: stdout.length, stderr: stderr.length };
    return output;
  }

  /**
   * With `collect` after a garbage collection, which stops the service for a moment.
   *
   * @throws Error with what the service has printed last, when it has ended.
   */
  async vitals({ collect = false } = {}): Promise<Vitals> {
    const { isRunning, stdout, stderr } = this.service;
    if (!isRunning) throw new Error(`The service has ended:\n${(stdout + stderr).slice(-2_000)}`);
    const response = await fetch(`${this.service.url}/vitals${collect ? '?collect' : ''}`);
    return (await response.json()) as Vitals;
  }

  /**
   * Waits until nothing is left of an outage: connections are idle, as the service and as the server see it, no call
   * waits, the breaker is closed.
   */
  async calm(): Promise<Vitals> {
    const isCalm = ({ pool, breaker, waitingCalls }: Vitals) =>
      pool.idle === pool.total && pool.busy === 0 && pool.waiting === 0 && waitingCalls === 0 && breaker === 'closed';
    await eventually(
      async () => {
        const vitals = await this.vitals();
        const sessions = await this.hosts.sessions();
        // A pooler keeps connections of its own, under the name of who used them last.
        const isIdle = this.hosts.isPooled
          ? sessions.every(({ state }) => state === 'idle')
          : isSeenIdle(sessions, vitals);
        if (!isCalm(vitals) || !isIdle) throw new Error(JSON.stringify({ ...vitals, sessions }));
      },
      // Less than a deadline, after which a forgotten session is closed.
      { that: 'all connections to be idle and the breaker closed', timeoutMs: 3_000, intervalMs: 50 },
    );
    return this.vitals({ collect: true });
  }

  /** Calm, and what the outage before has taken from the budget for retries does not matter any more. */
  async rested(): Promise<Vitals> {
    const enough = (0.9 * (this.#service?.options.retriesPerSecond ?? 0) * budgetWindowMs) / 1_000;
    const that = `${enough} retries to be allowed`;
    await eventually(async () => (await this.vitals()).budgetLeft >= enough, {
      that,
      timeoutMs: 15_000,
      intervalMs: 50,
    });
    return this.calm();
  }

  /** A product that no other test orders. */
  async product(): Promise<string> {
    const sku = `sku-${randomUUID()}`;
    const { status } = await this.service.request('POST', '/products', { sku, stock: initialStock });
    if (status !== 201) throw new Error(`a product could not be made: ${status}`);
    return sku;
  }

  async countOrders(): Promise<number> {
    const [row] = await this.server.query<{ count: number }>('select count(*)::int from orders', [], databaseName);
    return row?.count ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hosts.mend();
    await this.#service?.process[Symbol.asyncDispose]();
    await this.hosts.dispose();
    rmSync(this.directory, { recursive: true, force: true });
    release(this.directory);
  }

  /** All connections are open and all code has run once, so that figures compare like with like. */
  async #warmUp(): Promise<void> {
    const sku = await this.product();
    for (const way of ['/orders', '/sessions']) {
      const requests = Array.from({ length: 40 }, (_, index) =>
        this.service.request('POST', `${way}?sku=${sku}&quantity=${index + 1}`, { sku, quantity: index + 1 }),
      );
      await Promise.all(requests);
    }
  }

  #configure({ deadlineMs, retriesPerSecond }: ServiceOptions): void {
    const config = {
      service: 'orders',
      plugins: {
        logger: { use: '@keelson/logger-bunyan', level: 'warn', format: 'json' },
        database: {
          use: '@keelson/database-postgresql',
          url: this.hosts.serviceUrl,
          migrations: { atStart: true },
          session: { timeoutMs: deadlineMs },
          pool: { max: poolMax },
          commitProof: commitProof(),
        },
        retry: {
          use: '@keelson/retry-opossum',
          policies: { default: { budget: { floorPerSecond: retriesPerSecond, windowMs: budgetWindowMs } } },
        },
        health: { use: '@keelson/health' },
        http: { use: '@keelson/http-express', port: 0, host: '127.0.0.1' },
        orders: { use: `${root}examples/orders/dist/orders.plugin.js`, welcome: true },
        outages: { use: fileURLToPath(new URL('./outages.plugin.ts', import.meta.url)) },
      },
    };
    // JSON is YAML.
    writeFileSync(join(this.directory, 'keelson.yaml'), JSON.stringify(config, undefined, 2));
  }
}

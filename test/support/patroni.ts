import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { Daemon, daemonFolder, findProgram, own, removeFolder } from './daemon.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { clusterDirectory, superuser } from './postgres-binaries.js';
import { applicationRole, createApplicationRole } from './postgres-server.js';
import { postmasterIn, removeSharedMemory } from './postmaster-file.js';
import { childrenOf, sendSignal, waitUntilGone } from './processes.js';
import { queryOnce } from './query-once.js';

/** What must be on the machine: Patroni, its store, and a whole PostgreSQL; the one from npm has no `pg_rewind`. */
export const patroniNeeds = ['patroni', 'etcd', 'pg_rewind'] as const;

/** False where one of them is missing: `describe.skipIf(!hasPatroni)`. */
export const hasPatroni = patroniNeeds.every(name => findProgram(name) !== undefined);

/**
 * How fast a failover is. Without its holder, the leader key is free after `ttl`. Patroni's own are 30, 10 and 10: a failover
 * takes half a minute.
 */
const pace = { ttl: 5, loop_wait: 1, retry_timeout: 2 };

/** How long the longest change of roles may take, with a `pg_rewind` on a busy machine. */
const changeTimeoutMs = 60_000;

const replicator = { name: 'replicator', password: 'keelson' } as const;

export interface PatroniNode {
  readonly name: string;
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Of Patroni's REST API; `GET /primary` answers 200 on the primary alone. */
  readonly restPort: number;
  /** Of the database `postgres`, as the superuser. */
  readonly url: string;
  /** Starts Patroni, which starts its PostgreSQL. Resolves when its REST API answers. Does nothing when it runs. */
  start(): Promise<void>;
  /** kill -9 of Patroni and of the postmaster; resolves when they and what they had started are gone. */
  kill(): Promise<void>;
  /** SIGSTOP of Patroni alone: its PostgreSQL runs on, and no one manages it. */
  freeze(): void;
  thaw(): void;
  /** `running` with `primary` or `replica`, and whatever else Patroni says. Undefined while it does not answer. */
  status(): Promise<PatroniStatus | undefined>;
  /** Runs one statement on a connection of its own, as the superuser, and returns the rows. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<Row[]>;
  log(): string;
}

export interface PatroniStatus {
  readonly state: string;
  readonly role: string;
  readonly isSynchronousStandby: boolean;
}

export interface PatroniCluster extends AsyncDisposable {
  readonly nodes: readonly [PatroniNode, PatroniNode];
  /** The store in which Patroni keeps who leads. */
  readonly store: Pick<Daemon, 'start' | 'stop' | 'kill' | 'freeze' | 'thaw' | 'log'>;
  /** The node that takes writes; waits until there is one. */
  primary(): Promise<PatroniNode>;
  /** Resolves when this node takes writes. */
  leads(node: PatroniNode): Promise<void>;
  /** Resolves when this node takes no writes any more. */
  gaveUp(node: PatroniNode): Promise<void>;
  /** Resolves when this node is the standby for which each commit on the other one waits. */
  follows(node: PatroniNode): Promise<void>;
  /** A planned move, by Patroni's REST API; resolves when Patroni says that it is done. */
  switchOver(to: PatroniNode): Promise<void>;
  /** Creates a database owned by the role `keelson`, no superuser, and returns its url for that role. */
  createDatabase(name: string): Promise<string>;
  dispose(): Promise<void>;
}

/**
 * Starts etcd and two nodes of Patroni with a PostgreSQL each, in about 10 s; a commit waits until the standby has it. All of
 * it ends with this process at the latest.
 */
export async function startPatroniCluster(): Promise<PatroniCluster> {
  const cluster = new LocalCluster(await startStore(), [await createNode('one'), await createNode('two')]);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
  return cluster;
}

interface Store {
  readonly daemon: Daemon;
  readonly port: number;
}

async function startStore(): Promise<Store> {
  const port = await freePort();
  const peers = `http://127.0.0.1:${await freePort()}`;
  const clients = `http://127.0.0.1:${port}`;
  // In memory: it writes each change through to the disk, and a busy one would cost the primary its key.
  const directory = clusterDirectory({ onDisk: false });
  const options = {
    'data-dir': join(directory, 'etcd'),
    'listen-client-urls': clients,
    'advertise-client-urls': clients,
    'listen-peer-urls': peers,
    'initial-advertise-peer-urls': peers,
    'initial-cluster': `default=${peers}`,
    'log-outputs': 'stderr',
    logger: 'zap',
    // See `etcd` in the settings of a node.
    'enable-v2': 'true',
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const daemon = new Daemon({ program: programOf('etcd'), args, directory, port });
  try {
    await daemon.start();
  } catch (error) {
    await daemon.dispose();
    throw error;
  }
  return { daemon, port };
}

async function createNode(name: string): Promise<LocalNode> {
  return new LocalNode(name, await freePort(), await freePort());
}

class LocalNode implements PatroniNode {
  readonly name: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly restPort: number;
  readonly #directory = clusterDirectory({ onDisk: false });
  readonly #config: string;
  readonly #daemon: Daemon;

  constructor(name: string, port: number, restPort: number) {
    this.name = name;
    this.port = port;
    this.restPort = restPort;
    const directory = daemonFolder('patroni');
    this.#config = join(directory, 'patroni.yml');
    this.#daemon = new Daemon({ program: programOf('patroni'), args: [this.#config], directory, port: restPort });
  }

  get url(): string {
    return urlOf(superuser, this.port, 'postgres');
  }

  /** To be called once before `start`. */
  configure(store: Store): void {
    // JSON is YAML.
    writeFileSync(this.#config, JSON.stringify(this.#settings(store), undefined, 2), { mode: 0o600 });
    own(this.#config);
  }

  start(): Promise<void> {
    return this.#daemon.start();
  }

  async kill(): Promise<void> {
    // Patroni first: it would start its server again.
    await this.#daemon.kill('SIGKILL');
    await this.#end('SIGKILL');
  }

  freeze(): void {
    this.#daemon.freeze();
  }

  thaw(): void {
    this.#daemon.thaw();
  }

  async status(): Promise<PatroniStatus | undefined> {
    const answer = await this.request('GET', '/patroni').catch(() => undefined);
    if (answer === undefined) return undefined;
    const { state, role, sync_standby: isSynchronousStandby = false } = JSON.parse(answer.body);
    return { state, role, isSynchronousStandby };
  }

  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<Row[]> {
    return queryOnce<Row>(urlOf(superuser, this.port, database), sql, values);
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<{ status: number; body: string }> {
    const answer = await fetch(`http://${this.host}:${this.restPort}${path}`, {
      method,
      signal: AbortSignal.timeout(60_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.text() };
  }

  log(): string {
    return this.#daemon.log();
  }

  async dispose(): Promise<void> {
    await this.#daemon.dispose();
    await this.#end('SIGQUIT');
    await removeSharedMemory(this.#dataDirectory);
    removeFolder(this.#directory);
  }

  get #dataDirectory(): string {
    return join(this.#directory, 'data');
  }

  /** The server is no child of Patroni's, so that it outlives a Patroni that ends. */
  async #end(signal: NodeJS.Signals): Promise<void> {
    const pid = postmasterIn(this.#dataDirectory);
    if (pid === undefined) return;
    const family = [pid, ...childrenOf(pid)];
    sendSignal(pid, signal);
    if (await waitUntilGone(family, 5_000)) return;
    for (const member of family) sendSignal(member, 'SIGKILL');
    await waitUntilGone(family, 5_000);
  }

  #settings({ port: storePort }: Store): unknown {
    return {
      scope: 'keelson',
      name: this.name,
      restapi: { listen: `${this.host}:${this.restPort}`, connect_address: `${this.host}:${this.restPort}` },
      // Not `etcd3`: until patroni#2689 (May 2023; Debian 12 has an older one) a leader that was frozen takes the key from its
      // successor by that API, and what the successor has acknowledged is lost.
      etcd: { host: `127.0.0.1:${storePort}` },
      watchdog: { mode: 'off' },
      bootstrap: {
        dcs: { ...pace, synchronous_mode: true, postgresql: { use_pg_rewind: true } },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'data-checksums', 'no-sync'],
      },
      postgresql: {
        listen: `${this.host}:${this.port}`,
        connect_address: `${this.host}:${this.port}`,
        data_dir: this.#dataDirectory,
        bin_dir: dirname(programOf('pg_rewind')),
        pgpass: join(this.#directory, 'pgpass'),
        basebackup: [{ checkpoint: 'fast' }],
        authentication: {
          superuser: { username: superuser.name, password: superuser.password },
          replication: { username: replicator.name, password: replicator.password },
        },
        pg_hba: ['host all all 127.0.0.1/32 scram-sha-256', 'host replication replicator 127.0.0.1/32 scram-sha-256'],
        parameters: {
          unix_socket_directories: '',
          // In files under the data directory, so that nothing stays in /dev/shm after a kill -9.
          dynamic_shared_memory_type: 'mmap',
          shared_buffers: '32MB',
          fsync: 'off',
          // Looks for a primary that has moved as often as this, not every 5 s.
          wal_retrieve_retry_interval: '100ms',
        },
      },
    };
  }
}

class LocalCluster implements PatroniCluster {
  readonly nodes: readonly [LocalNode, LocalNode];
  readonly #store: Store;

  constructor(store: Store, nodes: readonly [LocalNode, LocalNode]) {
    this.#store = store;
    this.nodes = nodes;
  }

  get store(): Daemon {
    return this.#store.daemon;
  }

  async start(): Promise<void> {
    const [first, second] = this.nodes;
    for (const node of this.nodes) node.configure(this.#store);
    // The first one is to lead. The second one would not copy it before it does.
    await first.start();
    await Promise.all([this.leads(first), second.start()]);
    await this.follows(second);
    await createApplicationRole(first);
  }

  primary(): Promise<PatroniNode> {
    return this.#until('a primary', async () => {
      const statuses = await Promise.all(this.nodes.map(node => node.status()));
      return this.nodes.find((_node, index) => isPrimary(statuses[index])) ?? false;
    });
  }

  async leads(node: PatroniNode): Promise<void> {
    await this.#until(`${node.name} to be the primary`, async () => isPrimary(await node.status()));
  }

  async gaveUp(node: PatroniNode): Promise<void> {
    await this.#until(`${node.name} to give up`, async () => !isPrimary(await node.status()));
  }

  async follows(node: PatroniNode): Promise<void> {
    const isThere = async () => (await node.status())?.isSynchronousStandby === true;
    await this.#until(`${node.name} to be the synchronous standby`, isThere);
  }

  async switchOver(to: PatroniNode): Promise<void> {
    const from = this.nodes.find(node => node.name !== to.name);
    const order = { leader: from?.name, candidate: to.name };
    const { status, body } = await this.nodes[0].request('POST', '/switchover', order);
    if (status !== 200) throw new Error(`Patroni did not switch over: ${status} ${body}`);
  }

  async createDatabase(name: string): Promise<string> {
    const primary = await this.primary();
    await primary.query(`create database ${pg.escapeIdentifier(name)} owner ${applicationRole.name}`);
    return urlOf(applicationRole, primary.port, name);
  }

  /** Fails with the end of what Patroni has logged: it says what it waits for. */
  async #until<T>(that: string, probe: () => Promise<T | false>): Promise<T> {
    try {
      return await eventually(probe, { that, timeoutMs: changeTimeoutMs, intervalMs: 50 });
    } catch (cause) {
      const logs = this.nodes.map(node => `--- ${node.name}\n${node.log().slice(-4_000)}`);
      throw new Error([cause instanceof Error ? cause.message : '', ...logs].join('\n'), { cause });
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.dispose()));
    await this.store.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

function isPrimary(status: PatroniStatus | undefined): boolean {
  return status?.state === 'running' && (status.role === 'master' || status.role === 'primary');
}

function urlOf(role: { readonly name: string; readonly password: string }, port: number, database: string): string {
  return `postgres://${role.name}:${role.password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

function programOf(name: string): string {
  const program = findProgram(name);
  if (program === undefined) throw new Error(`There is no ${name} on this machine`);
  return program;
}

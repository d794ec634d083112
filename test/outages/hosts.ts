import { eventually } from '@keelson/test-support/eventually';
import { type Pgbouncer, startPgbouncer } from '@keelson/test-support/pgbouncer';
import { applicationRole, type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { startReplicatedPostgres } from '@keelson/test-support/replication';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';

const settings = { max_connections: 40, deadlock_timeout: '20ms' };

interface Host {
  readonly server: PostgresServer;
  /** Between the proxy and the server. */
  readonly pooler: Pgbouncer | undefined;
  readonly proxy: TcpProxy;
}

export interface HostsOptions {
  readonly standby?: boolean;
  readonly smallDisk?: boolean;
  readonly pooler?: 'session' | 'transaction';
}

/** The servers of a stage, each behind a proxy and perhaps a pooler: one, or a primary and a standby. */
export class Hosts {
  /** What the service is configured with: the proxies. */
  readonly serviceUrl: string;
  readonly #databaseName: string;
  readonly #all: readonly Host[];
  readonly #promote: () => Promise<void>;
  #acting: Host;

  private constructor(databaseName: string, all: readonly [Host, ...Host[]], promote: () => Promise<void>) {
    this.#databaseName = databaseName;
    this.#all = all;
    this.#acting = all[0];
    this.#promote = promote;
    this.serviceUrl = this.#url(
      all.map(({ proxy }) => proxy),
      all.length > 1 ? '?target_session_attrs=read-write' : '',
    );
  }

  /** Servers with a database for the service. */
  static async open(databaseName: string, options: HostsOptions): Promise<Hosts> {
    const { standby = false, smallDisk = false, pooler: poolMode } = options;
    const { servers, promote } = standby ? await aPair() : await aServer(smallDisk);
    try {
      await servers[0].createDatabase(databaseName);
      const [first, ...others] = servers;
      const behindProxy = async (server: PostgresServer): Promise<Host> => {
        // By default it does not try to connect again for 15 s after a failure.
        const settings = { server_login_retry: 1 };
        const pooler = poolMode && (await startPgbouncer({ to: server, poolMode, poolSize: 20, settings }));
        return { server, pooler, proxy: await startTcpProxy({ to: pooler ?? server }) };
      };
      const hosts = [await behindProxy(first), ...(await Promise.all(others.map(behindProxy)))] as const;
      return new Hosts(databaseName, hosts, promote);
    } catch (error) {
      await Promise.all(servers.map(server => server.dispose()));
      throw error;
    }
  }

  get server(): PostgresServer {
    return this.#acting.server;
  }

  /** @throws Error where there is none. */
  get pooler(): Pgbouncer {
    const { pooler } = this.#acting;
    if (pooler === undefined) throw new Error('There is no pooler');
    return pooler;
  }

  get isPooled(): boolean {
    return this.#acting.pooler !== undefined;
  }

  get proxy(): TcpProxy {
    return this.#acting.proxy;
  }

  get databaseUrl(): string {
    return this.#url([this.server]);
  }

  /** Connections that the service has opened so far. */
  get connections(): number {
    return this.#all.reduce((sum, { proxy }) => sum + proxy.counters.connections, 0);
  }

  /** What all servers have logged so far. */
  get log(): string {
    return this.#all.map(({ server }) => server.log()).join('');
  }

  /**
   * The primary is killed while commits wait for the standby, and does not come back; resolves when the standby takes
   * writes.
   */
  async failOver(): Promise<void> {
    const standby = this.#all.find(host => host !== this.#acting);
    if (standby === undefined) throw new Error('There is no standby');
    standby.server.freeze();
    const waiting = "select 1 from pg_stat_activity where wait_event = 'SyncRep'";
    await eventually(async () => (await this.server.query(waiting)).length > 0, { that: 'a commit to wait' });
    await this.server.kill('SIGKILL');
    standby.server.thaw();
    await this.#promote();
    this.#acting = standby;
  }

  /** Counts the transactions that the service begins from now on, on the wire. */
  recording(): () => number {
    const recordings = this.#all.map(({ proxy }) => proxy.recording());
    const begins = (statements: readonly string[]) => statements.filter(sql => /^\s*(begin|start)\b/i.test(sql)).length;
    return () => recordings.flatMap(({ trips }) => trips).reduce((sum, trip) => sum + begins(trip.statements), 0);
  }

  /** The connections of the service, as the server sees them: the name they go by, and `idle` or what they are at. */
  async sessions(): Promise<{ name: string; state: string }[]> {
    const sql = `select application_name as name, state from pg_stat_activity
                 where usename = $1 and backend_type = 'client backend'`;
    return this.server.query(sql, [applicationRole.name]);
  }

  /** Whatever is broken on purpose is mended, so that the service can be stopped. */
  async mend(): Promise<void> {
    for (const { server, pooler, proxy } of this.#all) {
      await proxy.setMode('pass');
      pooler?.thaw();
      server.thaw();
    }
  }

  async dispose(): Promise<void> {
    for (const { server, pooler, proxy } of this.#all) {
      await proxy.dispose();
      await pooler?.dispose();
      await server.dispose();
    }
  }

  #url(places: readonly { readonly host: string; readonly port: number }[], parameters = ''): string {
    const { name, password } = applicationRole;
    const hosts = places.map(({ host, port }) => `${host}:${port}`).join(',');
    return `postgresql://${name}:${password}@${hosts}/${this.#databaseName}${parameters}`;
  }
}

interface Servers {
  readonly servers: readonly [PostgresServer, ...PostgresServer[]];
  readonly promote: () => Promise<void>;
}

async function aServer(smallDisk: boolean): Promise<Servers> {
  const server = await startPostgres({ settings, smallDisk });
  return { servers: [server], promote: async () => {} };
}

async function aPair(): Promise<Servers> {
  // A standby takes no fewer connections than the cluster it is a copy of.
  const pair = await startReplicatedPostgres({ settings: { ...settings, max_connections: 100 }, synchronous: true });
  return { servers: [pair.primary, pair.standby], promote: () => pair.promote() };
}

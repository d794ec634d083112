import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { createCluster, superuser } from './postgres-binaries.js';
import { createApplicationRole, type PostgresOptions, type PostgresServer, startPostgres } from './postgres-server.js';

export interface ReplicationOptions {
  /** Of both servers. */
  settings?: PostgresOptions['settings'];
  /** A commit waits until the standby has it. Default false. */
  synchronous?: boolean;
}

export interface ReplicatedPostgres extends AsyncDisposable {
  /** Where one writes first; stop it, kill it, freeze it. */
  readonly primary: PostgresServer;
  /** Answers reads (writes get 25006) until it is promoted. */
  readonly standby: PostgresServer;
  /** Makes the standby a primary; resolves when it accepts writes. Does not stop the old primary: do so before. */
  promote(): Promise<void>;
  /** Resolves when reads of the standby see all that is committed on the primary now. */
  caughtUp(): Promise<void>;
  /** How much of the primary's log the standby has not replayed yet. */
  lagBytes(): Promise<number>;
  /** The standby goes on receiving, but its reads see nothing new: lag on order. */
  pauseReplay(): Promise<void>;
  resumeReplay(): Promise<void>;
  dispose(): Promise<void>;
}

/** Starts a primary and a hot standby that streams from it. Both begin as copies of one cluster that never ran. */
export async function startReplicatedPostgres(options: ReplicationOptions = {}): Promise<ReplicatedPostgres> {
  const settings = { wal_keep_size: '1GB', ...options.settings };
  const primary = await startPostgres({
    settings: { ...settings, ...(options.synchronous ? { synchronous_standby_names: '*' } : {}) },
  });
  try {
    const standby = await startStandby(primary, settings);
    await createApplicationRole(primary);
    return new StreamingPair(primary, standby);
  } catch (error) {
    await primary.dispose();
    throw error;
  }
}

function startStandby(primary: PostgresServer, settings: PostgresOptions['settings']): Promise<PostgresServer> {
  const { name, password } = superuser;
  return startPostgres({
    settings: {
      ...settings,
      primary_conninfo: `host=${primary.host} port=${primary.port} user=${name} password=${password}`,
      // Looks for a primary that is back as often as this, not every 5 s.
      wal_retrieve_retry_interval: '100ms',
    },
    prepare: async dataDirectory => {
      await createCluster(dataDirectory);
      writeFileSync(join(dataDirectory, 'standby.signal'), '');
    },
  });
}

class StreamingPair implements ReplicatedPostgres {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;

  constructor(primary: PostgresServer, standby: PostgresServer) {
    this.primary = primary;
    this.standby = standby;
  }

  async promote(): Promise<void> {
    const [row] = await this.standby.query<{ isPromoted: boolean }>('select pg_promote(true, 30) as "isPromoted"');
    if (row?.isPromoted !== true) throw new Error('The standby was not promoted within 30 s');
  }

  async caughtUp(): Promise<void> {
    const [now] = await this.primary.query<{ position: string }>('select pg_current_wal_lsn() as position');
    const reached = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as "isThere"';
    await eventually(
      async () => (await this.standby.query<{ isThere: boolean }>(reached, [now?.position]))[0]?.isThere === true,
      { that: 'the standby to replay what the primary has written', timeoutMs: 15_000 },
    );
  }

  async lagBytes(): Promise<number> {
    const [standby] = await this.standby.query<{ position: string }>('select pg_last_wal_replay_lsn() as position');
    const difference = 'select greatest(0, pg_current_wal_lsn() - $1::pg_lsn)::float8 as bytes';
    const [row] = await this.primary.query<{ bytes: number }>(difference, [standby?.position]);
    return row?.bytes ?? 0;
  }

  async pauseReplay(): Promise<void> {
    await this.standby.query('select pg_wal_replay_pause()');
    const state = "select pg_get_wal_replay_pause_state() = 'paused' as paused";
    await eventually(async () => (await this.standby.query<{ paused: boolean }>(state))[0]?.paused === true, {
      that: 'the standby to stop replaying',
    });
  }

  async resumeReplay(): Promise<void> {
    await this.standby.query('select pg_wal_replay_resume()');
  }

  async dispose(): Promise<void> {
    await Promise.all([this.standby.dispose(), this.primary.dispose()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

import pg from 'pg';
import { asPgClient, type PgClient } from './pg-internals.js';

/**
 * What a backend does: `works` on a statement, or waits for another server process or for its client to read; `waits` for
 * its client to send something; `gone` when there is none.
 */
export type BackendActivity = 'works' | 'waits' | 'gone';

/**
 * Ends the backend of a connection that has been open for `ageMs`, so that it holds no lock any more. Does nothing to one
 * that works, and to one that is younger: then another has been given the number of ours.
 */
type EndBackend = (client: PgClient, ageMs: number) => Promise<void>;

/**
 * Asks the server of `clients`, all of one, over a connection of its own, and gives the answer to `judge`. Without an answer,
 * and behind a pooler, where the number of a backend says nothing, `judge` is not called. Never rejects.
 */
export type Look = (
  clients: readonly PgClient[],
  judge: (activities: ReadonlyMap<PgClient, BackendActivity>, end: EndBackend) => Promise<void>,
) => Promise<void>;

interface BackendRow {
  readonly pid: number;
  readonly own: number;
  readonly waits: boolean;
}

/** Without rights on others, a role sees the state of its own backends, and of the others that they exist. */
const activity = `
  select pg_backend_pid() as own, pid, coalesce(state <> 'active' or wait_event = 'ClientRead', false) as waits
  from pg_stat_activity where pid = any ($1::int[]) or pid = pg_backend_pid()`;

const endIdle = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where pid = $1 and usename = current_user and clock_timestamp() - backend_start >= $2 * interval '1 ms' and (state <> 'active' or wait_event = 'ClientRead')`;

export function lookOver(config: pg.ClientConfig, timeoutMs: number, closing: AbortSignal): Look {
  return async (clients, judge) => {
    const [first] = clients;
    if (first === undefined) return;
    const asking = new pg.Client({ ...config, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
    asking.on('error', () => {});
    Object.assign(asking, { host: first.host, port: first.port });
    const giveUp = () => asPgClient(asking).connection.stream.destroy();
    closing.addEventListener('abort', giveUp, { once: true });
    try {
      closing.throwIfAborted();
      await asking.connect();
      const { rows } = await asking.query<BackendRow>(activity, [clients.map(({ processID }) => processID)]);
      const isDirect = rows.some(({ own }) => own === asPgClient(asking).processID);
      if (isDirect) await judge(activitiesOf(clients, rows), (client, ageMs) => endBackend(asking, client, ageMs));
    } catch {
      // Nothing is known then, and the deadlines of the callers hold.
    } finally {
      closing.removeEventListener('abort', giveUp);
      void asking.end().catch(() => {});
    }
  };
}

function activitiesOf(clients: readonly PgClient[], rows: readonly BackendRow[]): Map<PgClient, BackendActivity> {
  return new Map(
    clients.map(client => {
      const row = rows.find(({ pid }) => pid === client.processID);
      if (row === undefined) return [client, 'gone'];
      return [client, row.waits ? 'waits' : 'works'];
    }),
  );
}

async function endBackend(asking: pg.Client, { processID }: PgClient, ageMs: number): Promise<void> {
  await asking.query(endIdle, [processID, Math.floor(ageMs)]);
}

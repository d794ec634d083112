import type { Clock } from '@keelson/core';
import type { Row } from '@keelson/database';
import type { ControlConnection } from './control-connection.js';
import { addressOf, type PgClient } from './pg-internals.js';
import type { BackendReport } from './silence-watch.js';

/** Longest wait for the answer to one look. */
export const lookTimeoutMs = 1_000;

/** How far the age of a backend may be below and above that of its connection: it starts first, then it authenticates. */
const ageTolerance = { belowMs: 2_000, aboveMs: 15_000 };

const lookSql = `select pg_backend_pid() as own, a.pid, a.state, a.wait_event as event,
  a.backend_start::text || ' ' || a.state_change::text as since,
  (extract(epoch from clock_timestamp() - a.backend_start) * 1000)::float8::text as "ageMs"
from pg_stat_activity me left join pg_stat_activity a
  on a.pid = any($1::int[]) and a.datid = me.datid and a.usesysid = me.usesysid
where me.pid = pg_backend_pid()`;

/** Ends the backend only while it still waits as it was seen to. */
const endSql = `select pg_terminate_backend(pid) from pg_stat_activity
where pid = $1::int and backend_start::text || ' ' || state_change::text = $2 and state like 'idle%'`;

/** What a server says of the backends of connections to it. */
export class BackendLook {
  readonly #control: ControlConnection;
  readonly #clock: Clock;
  readonly #openedAt: (client: PgClient) => number | undefined;
  readonly #sinceOf = new WeakMap<PgClient, string>();

  constructor(control: ControlConnection, clock: Clock, openedAt: (client: PgClient) => number | undefined) {
    this.#control = control;
    this.#clock = clock;
    this.#openedAt = openedAt;
  }

  /** Rejects when the server does not answer in time. */
  async at(clients: readonly PgClient[]): Promise<ReadonlyMap<PgClient, BackendReport>> {
    const pids = clients.flatMap(({ processID }) => processID ?? []);
    const rows = await this.#ask(lookSql, [`{${pids.join(',')}}`]);
    const reports = new Map<PgClient, BackendReport>();
    // Through a pooler the numbers that a client knows are not those of the server.
    if (Number(rows[0]?.own) !== this.#control.server?.processId) return reports;
    for (const client of clients) {
      if (addressOf(client) !== this.#control.server.address) continue;
      // One user does not see what the backends of another do.
      if (client.user !== this.#control.server.user) continue;
      const row = rows.find(({ pid }) => Number(pid) === client.processID);
      reports.set(client, this.#report(client, row));
    }
    return reports;
  }

  /** So that its locks go. Never rejects. */
  async end(client: PgClient): Promise<void> {
    const since = this.#sinceOf.get(client);
    if (since === undefined || client.processID === null) return;
    await this.#ask(endSql, [String(client.processID), since]).catch(() => {});
  }

  async #ask(sql: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
    const controller = new AbortController();
    const giveUp = () => controller.abort(new Error('no answer in time'));
    const timer = this.#clock.schedule(lookTimeoutMs, giveUp);
    try {
      const [result] = await this.#control.ask([{ sql, parameters }], controller.signal);
      return result?.rows ?? [];
    } finally {
      timer.cancel();
    }
  }

  #report(client: PgClient, row: Row | undefined): BackendReport {
    if (row === undefined) return { is: 'gone' };
    const openedAt = this.#openedAt(client);
    const olderMs = Number(row.ageMs) - (this.#clock.now() - (openedAt ?? Number.NaN));
    if (!(olderMs >= -ageTolerance.belowMs && olderMs <= ageTolerance.aboveMs)) return { is: 'unknown' };
    const { state, event, since } = row;
    if (typeof state !== 'string' || typeof since !== 'string') return { is: 'unknown' };
    this.#sinceOf.set(client, since);
    const isWaiting = state.startsWith('idle') || (state === 'active' && event === 'ClientRead');
    if (isWaiting) return { is: 'waiting', state, doing: `${state} ${since}` };
    return state === 'active' || state === 'fastpath function call' ? { is: 'working' } : { is: 'unknown' };
  }
}

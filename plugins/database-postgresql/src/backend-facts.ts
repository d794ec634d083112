import type { Row, TransactionLimits } from '@keelson/database';

/** What the server says of the connection over which it is asked: columns for a `select`. */
export function backendColumns(limits: TransactionLimits): string {
  const wanted = [
    `('statement_timeout', '${limits.statementTimeoutMs}ms')`,
    `('lock_timeout', '${limits.lockTimeoutMs}ms')`,
    `('idle_in_transaction_session_timeout', '${limits.idleTimeoutMs}ms')`,
  ];
  return `pg_backend_pid()::int as pid, not exists (select from (values ${wanted.join(', ')}) as wanted (name, value)
    where current_setting(wanted.name)::interval <> wanted.value::interval) as "hasLimits"`;
}

export interface BackendFacts {
  /** The process id of the handshake is not that of the server: a pooler has made it up. */
  readonly isPooled: boolean;
  /** It has the limits that it was opened with. A pooler may have dropped them (`ignore_startup_parameters`). */
  readonly hasLimits: boolean;
}

/** Reads `backendColumns`, asked over a connection whose handshake gave `processId`. */
export function backendFactsOf(row: Row | undefined, processId: number | null | undefined): BackendFacts {
  return { isPooled: row?.pid !== processId, hasLimits: row?.hasLimits === true };
}

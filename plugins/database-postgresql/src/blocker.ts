import type { ControlConnection } from './control-connection.js';

const timeoutMs = 1_000;

/** Only where the numbers that a client knows are those of the server: through a pooler they are others. */
const sql = `select pg_terminate_backend(blocker.pid) from pg_stat_activity blocker
where pg_backend_pid() = $2::int and blocker.pid = any(pg_blocking_pids($1::int))
  and blocker.state = 'idle in transaction' and blocker.state_change < clock_timestamp() - interval '1 second'`;

/**
 * Ends the backend for which the backend of `waiting` waits at this moment, when it is in a transaction and has waited for
 * its own client for a second: that client is gone, and neither side knows.
 */
export async function endIdleBlocker(control: ControlConnection, waiting: ControlConnection['server']): Promise<void> {
  const { server } = control;
  if (server === undefined || server.address !== waiting?.address) return;
  const parameters = [String(waiting.processId), String(server.processId)];
  await control.ask([{ sql, parameters }], AbortSignal.timeout(timeoutMs));
}

import pg, { type Connection } from 'pg';

/** After these nothing comes any more. */
const endings = new Set(['FATAL', 'PANIC']);

/** pg forgets a query at its error, but the connection's status is only known at the ReadyForQuery that follows. */
export function settleWhenReady(error: unknown, connection: Connection, settle: () => void): void {
  if (!(error instanceof pg.DatabaseError) || endings.has(error.severity ?? '')) {
    settle();
    return;
  }
  const settleAs = (severity: string) => {
    connection.off('readyForQuery', answered);
    connection.off('end', ended);
    // In the language of the server (lc_messages); what came next says the same to everybody.
    error.severity = severity;
    settle();
  };
  const answered = () => settleAs('ERROR');
  const ended = () => settleAs('FATAL');
  connection.once('readyForQuery', answered);
  connection.once('end', ended);
}

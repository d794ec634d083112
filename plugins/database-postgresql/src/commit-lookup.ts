import { type BatchOutcome, type Statement, sqlStateOf, type TransactionOutcome } from '@keelson/database';

/**
 * A run of a server: an id given in it is not given to another transaction. The statistics restart after a crash,
 * and only then or by hand; copies of a server may share them, but not its address. Over a unix socket that is its port.
 */
const run = `concat_ws('/', extract(epoch from pg_stat_get_bgwriter_stat_reset_time()), host(inet_server_addr()), coalesce(inet_server_port()::text, current_setting('port')))`;
const startedAt = `extract(epoch from pg_postmaster_start_time())`;

/** Instead of an id: a server in recovery gives none, and stores nothing. */
const noId = 'none';

/** The id, which exists from now on, with all that distinguishes the server and its run from others. */
export const transactionIdProbe: Statement = {
  recurs: true,
  sql: `select case when pg_is_in_recovery() then '${noId}' else pg_current_xact_id()::text end || concat_ws('@', '', ${run}, ${startedAt}, extract(epoch from now())) as id`,
};

/** One row, `works`: the server reports the outcome of its transactions, and distinguishes its runs. */
export const commitLookupProbe = `select (pg_is_in_recovery() or pg_xact_status(pg_current_xact_id()) = 'in progress')
  and ${run} is not null and ${startedAt} is not null as works`;

/**
 * Asks the server that takes writes now what became of a transaction, which may be another than it ran on.
 *
 * `aborted` means that it is not stored there and never will be. `committed` is believed only of the very run of the very
 * server that gave the id: after a crash or on another server the id may have been given again.
 */
export async function lookUpCommit(
  transactionId: string,
  ask: (statements: readonly Statement[]) => Promise<BatchOutcome['results']>,
): Promise<TransactionOutcome> {
  const [id = '', itsRun, itsStart, itsBegin] = transactionId.split('@');
  if (id === noId) return 'aborted';
  const sql = `select case when pg_is_in_recovery() then 'standby' else pg_xact_status('${BigInt(id)}'::xid8) end as status, ${run} as run, ${startedAt}::text as "startedAt"`;
  try {
    const [result] = await ask([{ sql }]);
    const { status, run: nowRun, startedAt: nowStart } = result?.rows[0] ?? {};
    // A server started since may be the same, after an orderly stop; one that was there before is another.
    const isSame = nowRun === itsRun && (nowStart === itsStart || Number(nowStart) > Number(itsBegin));
    return outcomeOf(status, isSame);
  } catch (error) {
    // The id was never given out by this server, so what used it elsewhere did not get here.
    if (sqlStateOf(error) === invalidParameterValue) return 'aborted';
    throw error;
  }
}

const invalidParameterValue = '22023';

function outcomeOf(status: unknown, isSame: boolean): TransactionOutcome {
  switch (status) {
    case 'aborted':
      return 'aborted';
    case 'in progress':
      return isSame ? 'in progress' : 'aborted';
    case 'committed':
      return isSame ? 'committed' : 'unknown';
    // A standby does not know yet; once it is promoted it does.
    case 'standby':
      return 'in progress';
    default:
      return 'unknown';
  }
}

import type { Row, Statement } from '@keelson/database';

/** Where the log of a cluster of servers was when something was committed. Text for `AcquireOptions.after`. */
export interface WalPosition {
  /** Servers with another one are no copies of each other. */
  readonly system: string;
  /** Another one after each failover: the same position in it may be another record. */
  readonly timeline: string;
  readonly lsn: string;
}

const timelineOf = (lsn: string) => `('x' || substr(pg_walfile_name(${lsn}), 1, 8))::bit(32)::int`;

/**
 * Sent behind COMMIT, when the record of the commit is in the log: its end, or a little more. What was written is not enough:
 * with `synchronous_commit = off` the record may not be.
 */
export const positionProbe: Statement = {
  sql: `select concat_ws('.', (select system_identifier from pg_control_system()), ${timelineOf('lsn')}, lsn) as position from pg_current_wal_insert_lsn() as lsn`,
};

const shape = /^(\d{1,20})\.(\d{1,10})\.([\dA-F]{1,8}\/[\dA-F]{1,8})$/;

/** Undefined for a text that is none. */
export function walPositionIn(text: string): WalPosition | undefined {
  const [, system, timeline, lsn] = shape.exec(text) ?? [];
  return system === undefined || timeline === undefined || lsn === undefined ? undefined : { system, timeline, lsn };
}

/**
 * The timeline that a standby follows: what it has received, where this role may see that, and else what it has noted in its
 * control file, which may be later than true. So a new timeline may be taken for an old one there, and is not waited for.
 */
const followed = `(select greatest(c.timeline_id, r.min_recovery_end_timeline, (select received_tli from pg_stat_wal_receiver)) from pg_control_checkpoint() c, pg_control_recovery() r)`;
const isRecovering = 'pg_is_in_recovery()';

/** Whether the server shows all up to `position`: one row, one column `reached`. */
export function reachedProbe({ system, timeline, lsn }: WalPosition): Statement {
  const now = 'pg_current_wal_insert_lsn()';
  return {
    recurs: true,
    sql: `select (select system_identifier from pg_control_system())::text = $1
      and case when ${isRecovering} then ${followed} else ${timelineOf(now)} end::text = $2
      and case when ${isRecovering} then pg_last_wal_replay_lsn() else ${now} end >= $3::pg_lsn as reached`,
    parameters: [system, timeline, lsn],
    types: [25, 25, 25],
  };
}

export function hasReached(row: Row | undefined): boolean {
  return row?.reached === true;
}

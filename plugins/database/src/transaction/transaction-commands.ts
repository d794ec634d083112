import type { ConnectionStatus, StatementResult } from '../driver/driver.js';
import type { StoredByHand } from '../errors/session-errors.js';

/** Space, comments and empty statements before the first word. */
const skipped = String.raw`^(?:[\s;]|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*`;
const ending = new RegExp(
  String.raw`${skipped}(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b`,
  'i',
);
const toSavepoint = new RegExp(String.raw`${skipped}rollback\s+(?:(?:work|transaction)\s+)?to\b`, 'i');

/** The command with which a statement would begin or end a transaction; undefined for any other statement. */
export function transactionCommandIn(sql: string): string | undefined {
  const [, command] = ending.exec(sql) ?? [];
  return command?.replace(/\s+/g, ' ').toUpperCase();
}

const read = new RegExp(String.raw`${skipped}(?:select|with|values|table|show)\b`, 'i');
const spans = /advisory_xact|set_config|pg_export_snapshot|xact_id|txid_|\bsnapshot\b/i;

/** A read that leaves nothing for the next statement of its transaction: no lock, no setting, no snapshot. */
export function isPlainRead(sql: string): boolean {
  return read.test(sql) && !spans.test(sql);
}

/** How the server says that a transaction was ended past its session; undefined when it goes on. */
export function endingOf(
  sql: string,
  { command }: Pick<StatementResult, 'command'>,
  status: ConnectionStatus,
): { readonly by: string; readonly stored: StoredByHand } | undefined {
  switch (command) {
    case 'COMMIT':
      return { by: command, stored: 'all before it' };
    case 'ROLLBACK':
      return status === 'idle' || !toSavepoint.test(sql) ? { by: command, stored: 'nothing' } : undefined;
    case 'BEGIN':
    case 'START':
      return { by: command, stored: 'nothing' };
    case 'PREPARE':
      return status === 'idle' ? { by: 'PREPARE TRANSACTION', stored: 'a prepared transaction' } : undefined;
    default:
      return status === 'idle' ? { by: command, stored: 'unknown' } : undefined;
  }
}

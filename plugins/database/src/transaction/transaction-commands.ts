import type { ConnectionStatus, StatementResult } from '../driver/driver.js';
import type { StoredByHand } from '../errors/session-errors.js';

/** Space, comments and empty statements before the first word. */
const skipped = String.raw`^(?:[\s;]|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*`;
const control = new RegExp(
  String.raw`${skipped}(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|savepoint|release|rollback(?:\s+(?:(?:work|transaction)\s+)?to)?)\b`,
  'i',
);

/** The command with which a statement would begin, end or partly undo a transaction; undefined for any other statement. */
export function transactionCommandIn(sql: string): string | undefined {
  const [, command] = control.exec(sql) ?? [];
  return command
    ?.replace(/\s+((work|transaction)\s+)?to$/i, ' TO')
    .replace(/\s+/g, ' ')
    .toUpperCase();
}

const gap = String.raw`(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)+`;
const clientCopy = new RegExp(String.raw`${skipped}copy\b[\s\S]*\b(?:from|to)${gap}(?:stdin|stdout)\b`, 'i');

/** Whether the rows of a statement come from the client, or go to it, in another way than those of a query. */
export function copiesWithClient(sql: string): boolean {
  return clientCopy.test(sql);
}

/** Comments and whatever is quoted, in the order in which they come: one may have the sign of another in it. */
const noCommand =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|\be'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"[^"]*"/gi;
const endings = new Set(['COMMIT', 'END', 'ABORT', 'ROLLBACK', 'PREPARE TRANSACTION']);

/** Of one text, each without comments and without whatever is quoted. */
export function statementsIn(text: string): readonly string[] {
  return text.replaceAll(noCommand, ' ').split(';');
}

/** Whether a text of one or several statements may end its transaction. Rather too often than not. */
export function mayEndTransaction(text: string): boolean {
  return statementsIn(text).some(sql => endings.has(transactionCommandIn(sql) ?? ''));
}

const madeWritable = new RegExp(
  String.raw`${skipped}set\s+(?:(?:local|session)\s+)?(?:transaction\b[^;]*\bread\s+write|transaction_read_only)\b|set_config\s*\(\s*'transaction_read_only'`,
  'i',
);

/** The same for what would let a read-only transaction write: no caller waits for its COMMIT, or hears that it failed. */
export function writingCommandIn(sql: string): string | undefined {
  return madeWritable.test(sql) ? 'SET TRANSACTION READ WRITE' : undefined;
}

const first = new RegExp(String.raw`${skipped}(?:set\s+(?:(?:local|session)\s+)?transaction\b|lock\b)`, 'i');

/** Whether a statement does its work only, or otherwise, when none that reads or writes comes before it in its transaction. */
export function mustComeFirst(sql: string): boolean {
  return first.test(sql);
}

const madeReadOnly = new RegExp(
  String.raw`${skipped}set\s+(?:(?:local|session)\s+)?transaction(?:_read_only\b|\b[^;]*\bread\s+only\b)`,
  'i',
);

/** Whether nothing can be written in the transaction from here on. */
export function makesReadOnly(sql: string): boolean {
  return madeReadOnly.test(sql);
}

const read = new RegExp(String.raw`${skipped}(?:select|with|values|table|show)\b`, 'i');
const spans =
  /advisory_xact|set_config|pg_export_snapshot|xact_id|txid_|\bsnapshot\b|\blo_open\b|pg_notify|logical_emit/i;

/**
 * A read that leaves nothing for the next statement or the end of its transaction: no lock, setting, snapshot or open
 * large object, no message to be sent at COMMIT.
 */
export function isPlainRead(sql: string): boolean {
  return read.test(sql) && !spans.test(sql);
}

/** How the server says that a transaction was ended or partly undone past its session; undefined when it goes on. */
export function endingOf(
  { command }: Pick<StatementResult, 'command'>,
  status: ConnectionStatus,
): { readonly by: string; readonly stored: StoredByHand } | undefined {
  switch (command) {
    case 'COMMIT':
      return { by: command, stored: 'all before it' };
    case 'ROLLBACK':
    case 'BEGIN':
    case 'START':
    case 'SAVEPOINT':
    case 'RELEASE':
      return { by: command, stored: 'nothing' };
    case 'PREPARE':
      return status === 'idle' ? { by: 'PREPARE TRANSACTION', stored: 'a prepared transaction' } : undefined;
    default:
      return status === 'idle' ? { by: command, stored: 'unknown' } : undefined;
  }
}

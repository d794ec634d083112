import type { BatchOutcome, ConnectionStatus, Row, StatementResult } from '@keelson/database';
import { parseValue } from './type-parsers.js';

/** The messages of PostgreSQL's protocol that are read here (PostgreSQL manual, 54.7). */
export type WireMessage =
  | { readonly name: 'rowDescription'; readonly fields: readonly Field[] }
  | { readonly name: 'dataRow'; readonly fields: readonly (string | null)[] }
  | { readonly name: 'commandComplete'; readonly text: string }
  | { readonly name: 'readyForQuery'; readonly status: string }
  | { readonly name: 'error'; readonly message: string }
  | { readonly name: 'emptyQuery' | 'portalSuspended' };

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

export interface Answer extends BatchOutcome {
  readonly status: ConnectionStatus;
  /** Rows of a statement with further rows. */
  readonly unfinished: Row[];
}

const statuses: Readonly<Record<string, ConnectionStatus>> = {
  I: 'idle',
  T: 'in transaction',
  E: 'failed transaction',
};

/** Combines the messages of one batch. `fields` are those of a statement described earlier. */
export function readAnswer(messages: readonly WireMessage[], fields: readonly Field[] = []): Answer {
  const results: StatementResult[] = [];
  let rows: Row[] = [];
  let described = fields;
  let status: ConnectionStatus = 'lost';
  let failure: { readonly error: unknown } | undefined;
  for (const message of messages) {
    if (message.name === 'readyForQuery') status = statuses[message.status] ?? 'lost';
    if (failure !== undefined) continue;
    if (message.name === 'error') failure = { error: message };
    if (message.name === 'rowDescription') described = message.fields;
    if (message.name === 'dataRow') rows.push(rowOf(described, message.fields));
    if (message.name === 'emptyQuery') results.push({ rows: [], command: '', rowCount: undefined });
    if (message.name === 'commandComplete') {
      results.push({ rows, ...tagOf(message.text) });
      rows = [];
    }
  }
  return { results, status, unfinished: rows, ...(failure && { failure }) };
}

function rowOf(fields: readonly Field[], values: readonly (string | null)[]): Row {
  return Object.fromEntries(
    fields.map(({ name, dataTypeID }, at) => [name, parseValue(dataTypeID, values[at] ?? null)]),
  );
}

/** `INSERT 0 5`, `SELECT 2`, `CREATE TABLE`: the word, and the number when the tag ends in one. */
function tagOf(tag: string): { command: string; rowCount: number | undefined } {
  const [, command = tag, count] = /^(\S+)(?:.* (\d+))?/.exec(tag) ?? [];
  return { command, rowCount: count === undefined ? undefined : Number(count) };
}

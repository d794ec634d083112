import type { EntityManager } from '@keelson/database/contract';

/** `ndjson`: one JSON value in each line. `csv`: RFC 4180 in UTF-8, with a line of names. */
export type RowFormat = 'ndjson' | 'csv';

export interface RowOptions {
  readonly format: RowFormat;
  /** Of CSV: the properties, in their order. Default: those of the first row; without rows, the answer is empty then. */
  readonly columns?: readonly string[];
  /** Browsers offer the answer as a file of this name. Default: they show it. */
  readonly fileName?: string;
  /**
   * Longest time for all rows, in ms, when the source is a function: its session ends by then. Default: `session.timeoutMs` of
   * the database. The deadline of the request counts, too.
   */
  readonly timeoutMs?: number;
}

type Rows<Row> = AsyncIterable<Row> | Iterable<Row>;

/** Rows, or a function that reads them in a session of its own: read-only, one snapshot for all of its statements. */
export type RowSource<Row> = Rows<Row> | ((em: EntityManager) => Rows<Row>);

/** An answer that is read row by row while it is sent. */
export class RowStream<Row = unknown> {
  readonly source: RowSource<Row>;
  readonly options: RowOptions;

  constructor(source: RowSource<Row>, options: RowOptions) {
    this.source = source;
    this.options = options;
  }
}

/**
 * The body of an answer of a route: `{ body: rowsOf(em => em.stream(Order), { format: 'csv' }) }`. Rows are read no faster
 * than the client takes them. An error before the first 64 KB are sent is a problem document; later it cuts the connection.
 */
export function rowsOf<Row extends object>(source: RowSource<Row>, options: RowOptions): RowStream<Row> {
  return new RowStream(source, options);
}

/** The headers of an answer with rows. */
export function rowHeaders({ format, fileName }: RowOptions): Readonly<Record<string, string>> {
  const type = format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson; charset=utf-8';
  return { 'Content-Type': type, ...(fileName !== undefined && { 'Content-Disposition': attachment(fileName) }) };
}

/** RFC 6266: the name in ASCII, and in UTF-8 for those who read that. */
function attachment(fileName: string): string {
  const ascii = fileName.replaceAll(/[^\w .()-]/g, '_');
  const encoded = encodeURIComponent(fileName.toWellFormed()).replaceAll(/['()*]/g, percent);
  return `attachment; filename="${ascii}"${ascii === fileName ? '' : `; filename*=UTF-8''${encoded}`}`;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Characters in one piece of an answer. */
const pieceLength = 65_536;

/**
 * The text of `rows`, in pieces of about 64 KB. `check` is called with each row as JSON has it.
 *
 * @throws TypeError for a row that is no JSON.
 */
export async function* rowTexts(
  rows: Rows<unknown>,
  { format, columns }: RowOptions,
  check?: (row: unknown) => void,
): AsyncGenerator<string, void, undefined> {
  const lineOf = format === 'csv' ? csvLines(columns) : jsonLine;
  let text = format === 'csv' && columns !== undefined ? csvLine(columns) : '';
  for await (const row of rows) {
    if (check !== undefined) check(JSON.parse(jsonLine(row)));
    text += lineOf(row);
    if (text.length < pieceLength) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

function jsonLine(row: unknown): string {
  const json = JSON.stringify(row);
  if (json === undefined) throw new TypeError('A row is not valid JSON.');
  return `${json}\n`;
}

/** The first row brings the names, unless they are given. */
function csvLines(given: readonly string[] | undefined): (row: unknown) => string {
  let names = given;
  return row => {
    const values = plain(row);
    if (names !== undefined) return csvLine(names.map(name => values[name]));
    names = Object.keys(values);
    return csvLine(names) + csvLine(names.map(name => values[name]));
  };
}

/** An entity with what it shows in JSON. */
function plain(row: unknown): Readonly<Record<string, unknown>> {
  if (typeof row !== 'object' || row === null) throw new TypeError('A row of CSV is not an object.');
  const toJson: unknown = Reflect.get(row, 'toJSON');
  const shown: unknown = typeof toJson === 'function' ? Reflect.apply(toJson, row, []) : row;
  return shown as Readonly<Record<string, unknown>>;
}

/** One record of RFC 4180. */
function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvField).join(',')}\r\n`;
}

const needsQuotes = /[",\r\n]|^$|^\s|\s$/;

/** Nothing for null; an empty text is in quotes, as COPY of PostgreSQL has it. */
function csvField(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  const text = textOf(value);
  return needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toJSON() ?? '';
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return JSON.stringify(value) ?? '';
}

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from } from 'pg-copy-streams';
import type { PgClient } from './pg-internals.js';

/** COPY ... FROM STDIN; resolves to the number of rows stored. Reads `lines` only as fast as the server takes them. */
export async function copyRows(client: PgClient, sql: string, lines: AsyncIterable<string>): Promise<number> {
  const copy = client.query(from(sql));
  await pipeline(Readable.from(lines), copy);
  return copy.rowCount;
}

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from } from 'pg-copy-streams';
import type { PgClient } from './pg-internals.js';

/**
 * COPY ... FROM STDIN; resolves to the number of rows stored. Reads `lines` only as fast as the server takes them. When
 * `lines` throws, CopyFail makes the server store nothing and the error comes out as it is. Settles when the
 * connection is ready for the next statement, or lost. Only after the last line is the server waited for: `watched`.
 */
export async function copyRows(
  client: PgClient,
  sql: string,
  lines: AsyncIterable<string>,
  watched: (answer: Promise<void>) => Promise<void>,
): Promise<number> {
  const source = new Source(lines, () => void watched(ready));
  const copy = client.query(from(sql));
  const ready = nextReady(client);
  try {
    await pipeline(Readable.from(source.pieces()), copy);
    return copy.rowCount;
  } catch (error) {
    await ready;
    throw source.failure === undefined ? error : source.failure.error;
  }
}

/** Its own error stays here: the message of a CopyFail is written to the log of the server. */
class Source {
  readonly #lines: AsyncIterable<string>;
  readonly #onEnd: () => void;
  failure: { readonly error: unknown } | undefined;

  constructor(lines: AsyncIterable<string>, onEnd: () => void) {
    this.#lines = lines;
    this.#onEnd = onEnd;
  }

  async *pieces(): AsyncGenerator<string> {
    try {
      yield* this.#lines;
      this.#onEnd();
    } catch (error) {
      this.failure = { error };
      throw new Error('the source of the rows failed');
    }
  }
}

/** At once when the connection is closed. */
function nextReady({ connection }: PgClient): Promise<void> {
  if (connection.stream.closed) return Promise.resolve();
  return new Promise(resolve => {
    const done = () => {
      connection.off('readyForQuery', done);
      connection.off('end', done);
      resolve();
    };
    connection.on('readyForQuery', done);
    connection.on('end', done);
  });
}

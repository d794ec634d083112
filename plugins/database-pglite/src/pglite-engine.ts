import { protocol } from '@electric-sql/pglite';
import { needsExtendedProtocol, type Row, type Statement } from '@keelson/database';
import { parameterText } from './parameter-text.js';
import type { OnNotification, PgliteLink } from './pglite-link.js';
import { type Answer, readAnswer, type WireMessage } from './wire-messages.js';

const { serialize } = protocol;
const portal = 'keelson_stream';

/**
 * One PostgreSQL, used through its own protocol, so that a batch works as on a server: it stops at its first failure, and
 * each answer has the status of the transaction.
 *
 * In this process, a statement runs on the calling thread: no timer and no cancellation runs meanwhile.
 */
export class PgliteEngine {
  readonly #link: PgliteLink;

  constructor(link: PgliteLink) {
    this.#link = link;
  }

  /** @throws Error when PGlite itself has crashed; it cannot be used any more. */
  async run(batch: Batch): Promise<Answer> {
    return readAnswer(await this.#exchange(batch));
  }

  /** Rows of one statement, inside a transaction. */
  async *stream({ sql, parameters = [] }: Statement, chunkSize: number): AsyncGenerator<Row[], Answer | undefined> {
    const execute = serialize.execute({ portal, rows: chunkSize });
    const opening = [
      serialize.parse({ text: sql }),
      serialize.bind({ portal, values: parameters.map(bindable) }),
      serialize.describe({ type: 'P', name: portal }),
    ];
    const described = await this.#exchange([...opening, serialize.sync()]);
    const fields = described.flatMap(message => (message.name === 'rowDescription' ? message.fields : []));
    const opened = readAnswer(described);
    if (opened.failure !== undefined) return opened;
    try {
      for (;;) {
        const answer = readAnswer(await this.#exchange([execute, noCopy, serialize.sync()]), fields);
        if (answer.failure !== undefined) return answer;
        const rows = answer.results[0]?.rows ?? answer.unfinished;
        if (rows.length > 0) yield rows;
        if (answer.results.length > 0) return undefined;
      }
    } finally {
      await this.#exchange([serialize.close({ type: 'P', name: portal }), serialize.sync()]);
    }
  }

  /** Calls `listener` with each message of a channel that the connection listens to. The result ends that. */
  onNotification(listener: OnNotification): () => void {
    return this.#link.onNotification(listener);
  }

  /** All that is stored now. No statement may run meanwhile. */
  dump(): Promise<Blob> {
    return this.#link.dump();
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  async #exchange(messages: Batch): Promise<readonly WireMessage[]> {
    const received = await this.#link.exchange(Buffer.concat(messages));
    // A stack overflow inside PGlite ends it without an error; every exchange must end with this message.
    if (!received.some(({ name }) => name === 'readyForQuery')) throw new Error('PGlite does not answer any more');
    return received;
  }
}

/** Statements as they are sent. */
export type Batch = readonly Uint8Array[];

/** @throws the error of a value that cannot be serialized. */
export function batchOf(statements: readonly Statement[]): Batch {
  return needsExtendedProtocol(statements) ? extended(statements) : simple(statements);
}

/** Ends a COPY ... FROM STDIN, for which no data is sent here; the server ignores it at any other time. */
const noCopy = serialize.copyFail('COPY is not part of a batch');

function simple(statements: readonly Statement[]): Uint8Array[] {
  return [serialize.query(statements.map(({ sql }) => sql).join('\n;')), noCopy];
}

function extended(statements: readonly Statement[]): Uint8Array[] {
  const parts = statements.flatMap(({ sql, parameters = [], types = [] }) => [
    serialize.parse({ text: sql, types: [...types] }),
    serialize.bind({ values: parameters.map(bindable) }),
    serialize.describe({ type: 'P' }),
    serialize.execute(),
  ]);
  return [...parts, noCopy, serialize.sync()];
}

/** PGlite sends an empty view as text; a Buffer may be a view on a pool that it would send whole. */
function bindable(value: unknown): string | ArrayBuffer | null {
  const text = parameterText(value);
  return text instanceof Uint8Array ? new Uint8Array(text).buffer : text;
}

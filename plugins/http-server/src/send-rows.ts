import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RowOptions, type RowSource, rowHeaders, rowTexts } from '@keelson/http';
import { clientGone } from './json-body.js';
import { attachedUnits } from './request-sessions.js';

/** What a handler of Node or Express has. */
type Response = ServerResponse & { readonly req: IncomingMessage };

export interface SendRowsOptions extends RowOptions {
  /** Called with each row as JSON has it, before it is sent; what it throws is an error of the answer. */
  readonly check?: (row: unknown) => void;
}

/**
 * Answers with rows as NDJSON or CSV, which are read no faster than the client takes them. Resolves when the answer has
 * ended. Keeps two pieces of 64 KB in memory.
 *
 * `source` is what is iterated, such as `em.stream(Order)` of the session of the request, or a function of an EntityManager. The
 * function reads in a session of its own: read-only, one snapshot for all its statements, for at most `timeoutMs`. It does
 * not see what the request has written, and needs a second connection when the request has used its own session.
 *
 * An error before the first 64 KB is the answer. A later one must cut the connection, so that no client takes a part for
 * the whole: let it pass to the server. When the client leaves, the source is closed, its statement cancelled on the server and
 * the connection free.
 *
 * @throws KeelsonError HTTP_CLIENT_GONE when the client disconnects; what the source, its session or `check` threw.
 * @throws KeelsonError HTTP_SESSION_MISSING for a function in a service or a route without sessions.
 */
export async function sendRows<Row extends object>(
  response: Response,
  source: RowSource<Row>,
  options: SendRowsOptions,
): Promise<void> {
  const { check, timeoutMs } = options;
  const head = () => {
    for (const [name, value] of Object.entries(rowHeaders(options))) response.setHeader(name, value);
  };
  if (response.req.method === 'HEAD') {
    head();
    response.end();
    return;
  }
  const write = (rows: AsyncIterable<Row> | Iterable<Row>) =>
    writeAllButLast(response, rowTexts(rows, options, check), head);
  const last = await (typeof source === 'function'
    ? attachedUnits(response.req).read(em => write(source(em)), { timeoutMs })
    : write(source));
  if (response.destroyed) throw clientGone(undefined);
  if (!response.headersSent) head();
  response.end(last);
}

/** Nothing is sent before there is more than one piece, and nothing that could end the answer before all was read. */
async function writeAllButLast(
  response: Response,
  pieces: AsyncIterable<string>,
  head: () => void,
): Promise<string | undefined> {
  let last: string | undefined;
  for await (const piece of pieces) {
    if (response.destroyed) throw clientGone(undefined);
    if (last !== undefined) {
      if (!response.headersSent) head();
      if (!response.write(last)) await drained(response);
    }
    last = piece;
  }
  return last;
}

function drained(response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = () => {
      response.off('close', onClose);
      resolve();
    };
    const onClose = () => {
      response.off('drain', onDrain);
      reject(clientGone(undefined));
    };
    response.once('drain', onDrain).once('close', onClose);
    if (response.destroyed) onClose();
  });
}

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { KeelsonError } from '@keelson/core';
import type { Connections } from './connections.js';
import { http } from './node-http.js';
import { type ProblemSettings, problemOf } from './problem.js';
import { requestIdFrom } from './request-id.js';
import { upgrade } from './request-syntax.js';

export interface ClientErrorTools {
  readonly connections: Connections;
  readonly problems: ProblemSettings;
  /** Is called with the code of the answer. */
  readonly onRefused: (code: string) => void;
}

/**
 * Answers bytes that are not a request. Node provides no response for them, so this writes the document to
 * the socket: after the answers to earlier requests, and never into the middle of a partial answer, which it would
 * corrupt.
 */
export async function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
  { connections, problems, onRefused }: ClientErrorTools,
): Promise<void> {
  // Bytes after the last answer are read and discarded.
  if (connections.isLeaving(socket)) return;
  if (error.code === 'ECONNRESET' || !socket.writable || connections.isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const owed = await connections.answered(socket);
  if (!socket.writable) return;
  if (owed) {
    const failure = malformed(error);
    writeProblem(socket, failure, problems);
    onRefused(failure.code);
  }
  connections.leave(socket);
}

/**
 * Refuses a tunnel (CONNECT). Node has left the connection to the tunnel: answers to requests in front of it could not wait for
 * their client any more, so the connection is cut when it owes one. A refusal in its place would be taken for it.
 */
export function refuseTunnel(socket: Socket, { connections, problems, onRefused }: ClientErrorTools): void {
  socket.on('error', () => {}).resume();
  if (connections.isLeaving(socket)) return;
  if (connections.owesAnswer(socket)) {
    socket.destroy();
    return;
  }
  const failure = upgrade();
  writeProblem(socket, failure, problems);
  onRefused(failure.code);
  connections.leave(socket);
}

/** Writes an answer to the socket, where Node provides no response. */
export function writeProblem(socket: Duplex, failure: KeelsonError, problems: ProblemSettings): void {
  const { status, headers, body } = problemOf(failure, problems, { requestId: requestIdFrom(undefined) });
  const lines = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${head}\r\n${body}`);
}

function malformed(cause: Error & { code?: string }): KeelsonError {
  switch (cause.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new KeelsonError({
        code: 'HTTP_REQUEST_TIMEOUT',
        message: 'A request did not arrive in time.',
        cause,
        http: { status: 408, title: 'Request timeout', detail: 'The request did not arrive in time.' },
      });
    case 'HPE_HEADER_OVERFLOW':
      return new KeelsonError({
        code: 'HTTP_HEADERS_TOO_LARGE',
        message: 'The headers of a request are too large.',
        cause,
        http: {
          status: 431,
          title: 'Headers too large',
          detail: 'The headers or the URL are larger than this server accepts.',
        },
      });
    default:
      return new KeelsonError({
        code: 'HTTP_REQUEST_MALFORMED',
        message: 'The client sent bytes that are not a valid HTTP request.',
        cause,
        http: { status: 400, title: 'Malformed request', detail: 'The bytes are not a valid HTTP/1.1 request.' },
      });
  }
}

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { KeelsonError } from '@keelson/core';
import { problemOf } from './problem.js';
import { requestIdFrom } from './request-id.js';

/**
 * Answers bytes that never became a request. Node has parsed nothing to answer through, so the document is written to
 * the socket by hand; not when an answer is under way on it, which would corrupt that answer.
 */
export function answerClientError(error: Error & { code?: string }, socket: Socket, isAnswering: boolean): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = problemOf(malformed(error), requestIdFrom(undefined));
  const lines = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`, () => socket.destroy());
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
        http: { status: 431, title: 'Headers too large', detail: 'The headers are larger than this server reads.' },
      });
    default:
      return new KeelsonError({
        code: 'HTTP_REQUEST_MALFORMED',
        message: 'Bytes arrived that are no HTTP request.',
        cause,
        http: { status: 400, title: 'Malformed request', detail: 'This is not a request of HTTP/1.1.' },
      });
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { http } from './node-http.js';

/**
 * Asks the client for the body of its request (`Expect: 100-continue`) when the body is first read. A request that is refused
 * before that saves its client the upload; its connection is closed, since the client may send the body or not.
 */
export function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (coding === undefined && !(Number(length) > 0)) return;
  const { shouldKeepAlive } = response;
  response.shouldKeepAlive = false;
  request._read = size => {
    Reflect.deleteProperty(request, '_read');
    if (!response.headersSent && !response.destroyed) {
      response.writeContinue();
      response.shouldKeepAlive = shouldKeepAlive;
    }
    http.IncomingMessage.prototype._read.call(request, size);
  };
}

import type { ServerResponse } from 'node:http';
import type { Problem } from './problem.js';

/**
 * Headers a handler may have set for the answer it did not give: those that describe its body, and those that would
 * tell of something that has not happened. All others stay, CORS and request id among them.
 */
const headersOfTheAnswer =
  /^(content-.*|etag|last-modified|expires|accept-ranges|transfer-encoding|trailer|location|set-cookie)$/;

/** Answers with `problem` instead of whatever was prepared. Nothing of the response may have left yet. */
export function sendProblem(response: ServerResponse, problem: Problem): void {
  for (const name of response.getHeaderNames()) {
    if (headersOfTheAnswer.test(name)) response.removeHeader(name);
  }
  response.statusMessage = '';
  response.writeHead(problem.status, { ...problem.headers, 'Content-Length': Buffer.byteLength(problem.body) });
  response.end(problem.body);
}

import type { ServerResponse } from 'node:http';
import { wasHeld } from './held-response.js';
import { http } from './node-http.js';
import type { ProblemAnswer } from './problem.js';

/**
 * Headers that a handler may have set for an answer that is not sent: those that describe its body, and those that would
 * announce an effect that did not happen. All others stay, CORS and request id among them.
 */
const headersOfTheAnswer =
  /^(content-.*|etag|last-modified|expires|accept-ranges|transfer-encoding|trailer|location|set-cookie)$/;

/** Answers with `problem` instead of the prepared answer. No part of the response may be sent yet. */
export function sendProblem(response: ServerResponse, problem: ProblemAnswer): void {
  for (const name of response.getHeaderNames()) {
    if (headersOfTheAnswer.test(name)) response.removeHeader(name);
  }
  response.statusMessage = '';
  const head = { ...problem.headers, 'Content-Length': Buffer.byteLength(problem.body) };
  if (!wasHeld(response)) {
    response.writeHead(problem.status, head);
    response.end(problem.body);
    return;
  }
  // Middleware that has put its own methods on the response, such as compression, has ended the answer that is not sent.
  const { writeHead, end } = http.ServerResponse.prototype;
  Reflect.apply(writeHead, response, [problem.status, head]);
  Reflect.apply(end, response, [problem.body]);
}

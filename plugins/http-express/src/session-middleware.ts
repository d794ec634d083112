import type { IncomingMessage, ServerResponse } from 'node:http';
import { KeelsonError } from '@keelson/core';
import type { HandleError } from './error-handler.js';
import type { Middleware } from './express-app.js';
import { holdResponse } from './held-response.js';
import { attachSession, type RequestSession, type RequestSessions } from './request-sessions.js';

export interface SessionParts {
  /** Undefined while, or because, there is no database. */
  readonly sessions: () => RequestSessions | undefined;
  readonly readOnlyMethods: readonly string[];
  readonly handleError: HandleError;
}

/** Opens one session for each request, and ends it before the answer is sent. */
export function createSessionMiddleware(parts: SessionParts): Middleware {
  const readOnlyMethods = new Set(parts.readOnlyMethods);
  return async (request, response, next) => {
    const sessions = parts.sessions();
    if (sessions === undefined) return next();
    const { method = 'GET' } = request;
    const client = new AbortController();
    const name = `http.${method.toLowerCase()}`;
    const options = { name, readOnly: readOnlyMethods.has(method), signal: client.signal };
    const session = await sessions.open(options);
    if (response.destroyed) return session.rollback();
    attachSession(request, session, { run: work => sessions.unit(work, options) });
    bindOutcome(session, request, response, client, parts.handleError);
    session.run(() => next());
  };
}

/** Ends `session` once: with the answer, or with the client. */
function bindOutcome(
  session: RequestSession,
  request: IncomingMessage,
  response: ServerResponse,
  client: AbortController,
  handleError: HandleError,
): void {
  let ended = false;
  const commit = () => {
    ended = true;
    return session.commit();
  };
  const rollback = () => {
    ended = true;
    return session.rollback();
  };
  holdResponse(response, {
    begin: async status => {
      if (status >= 400) await rollback();
      else if (session.reading === 'no') await commit();
      else if (session.reading === 'with writes') {
        await rollback();
        throw answerWithinWrites();
      } else return 'finish with it';
      return 'let go';
    },
    finish: commit,
    replace: error => handleError(error, request, response),
  });
  response.once('close', () => {
    // A running commit is not interrupted: its outcome would be unknown.
    if (ended) return;
    client.abort(new DOMException('The client has gone away.', 'AbortError'));
    void session.rollback();
  });
}

function answerWithinWrites(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_ANSWER_WITHIN_SESSION',
    message: 'An answer started while the session of its request, which has changes to store, was reading rows.',
    hint: "Stream from a session of its own: database.read(work, { nested: 'separate' }), or load the rows before the answer.",
  });
}

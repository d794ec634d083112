import type { IncomingMessage, ServerResponse } from 'node:http';
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

/** Gives each request one session, and makes its outcome certain before its answer leaves. */
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
  holdResponse(response, {
    settle: status => {
      ended = true;
      return status < 400 ? session.commit() : session.rollback();
    },
    replace: error => handleError(error, request, response),
  });
  response.once('close', () => {
    // A commit that is under way is not disturbed: nobody could say what became of it.
    if (ended) return;
    client.abort(new DOMException('The client has gone away.', 'AbortError'));
    void session.rollback();
  });
}

import type { RequestSessionRule } from '@keelson/core';
import type { HandleError } from './error-handler.js';
import type { Middleware } from './express-app.js';
import { RequestOutcome } from './request-outcome.js';
import { attachSession, type RequestSessions, type SessionSettings } from './request-sessions.js';

export interface SessionParts {
  /** Undefined while, or because, there is no database. */
  readonly sessions: () => RequestSessions | undefined;
  /** With what they are opened; undefined while, or because, the service has not said. */
  readonly rule: () => RequestSessionRule | undefined;
  readonly readOnlyMethods: readonly string[];
  readonly handleError: HandleError;
}

/** Gives each request one session, which is opened when it is first used and ended before the answer is sent. */
export function createSessionMiddleware(parts: SessionParts): Middleware {
  const { handleError } = parts;
  const settingsOf = settingsByMethod(parts.readOnlyMethods);
  return async (request, response, next) => {
    const sessions = parts.sessions();
    if (sessions === undefined) return next();
    const settings = settingsOf(request.method ?? 'GET');
    const rule = parts.rule();
    const whenUsed = rule && (() => rule(request));
    const session = await sessions.onDemand(settings, whenUsed);
    const outcome = new RequestOutcome({ session, sessions, settings, whenUsed, request, response, handleError });
    if (response.destroyed) return outcome.abandon();
    attachSession(request, outcome, outcome);
    session.run(() => next());
  };
}

function settingsByMethod(readOnlyMethods: readonly string[]): (method: string) => SessionSettings {
  const known = new Map<string, SessionSettings>();
  return method => {
    const found = known.get(method);
    if (found !== undefined) return found;
    const settings = { name: `http.${method.toLowerCase()}`, readOnly: readOnlyMethods.includes(method) };
    known.set(method, settings);
    return settings;
  };
}

import type { RequestSessionRule } from '@keelson/core';
import type { Consistency } from './consistency.js';
import type { HandleError } from './error-handler.js';
import { RequestOutcome } from './request-outcome.js';
import { attachSession, type RequestSessions, type SessionSettings } from './request-sessions.js';
import type { Step } from './step.js';

export interface SessionParts {
  /** Undefined while, or because, there is no database. */
  readonly sessions: () => RequestSessions | undefined;
  /** With what they are opened; undefined while, or because, the service has not said. */
  readonly rule: () => RequestSessionRule | undefined;
  readonly readOnlyMethods: readonly string[];
  /** How clients are held to see what they have stored; undefined when they are not. */
  readonly consistency: Consistency | undefined;
  readonly handleError: HandleError;
}

/** Gives each request one session, which is opened when it is first used and ended before the answer is sent. */
export function createSessionMiddleware(given: SessionParts): Step {
  const { handleError, consistency } = given;
  const settingsOf = settingsByMethod(given);
  return async (request, response, next) => {
    const sessions = given.sessions();
    if (sessions === undefined) return next();
    const settings = readingAfter(consistency?.tokenIn(request), settingsOf(request.method ?? 'GET'));
    const rule = given.rule();
    const whenUsed = rule && (() => rule(request));
    const session = await sessions.onDemand(settings, whenUsed);
    const parts = { session, sessions, settings, whenUsed, consistency, request, response, handleError };
    const outcome = new RequestOutcome(parts);
    if (response.destroyed) return outcome.abandon();
    attachSession(request, outcome, outcome);
    session.run(() => next());
  };
}

function readingAfter(token: string | undefined, settings: SessionSettings): SessionSettings {
  return token === undefined || !settings.readOnly ? settings : { ...settings, after: token };
}

function settingsByMethod({
  readOnlyMethods,
  consistency,
}: Pick<SessionParts, 'readOnlyMethods' | 'consistency'>): (method: string) => SessionSettings {
  const known = new Map<string, SessionSettings>();
  return method => {
    const found = known.get(method);
    if (found !== undefined) return found;
    const readOnly = readOnlyMethods.includes(method);
    const consistencyToken = consistency !== undefined && !readOnly;
    const settings = { name: `http.${method.toLowerCase()}`, readOnly, ...(consistencyToken && { consistencyToken }) };
    known.set(method, settings);
    return settings;
  };
}

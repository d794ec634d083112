import type { EntityManager } from '@keelson/database/contract';
import type { Answer } from '@keelson/http';
import { repeatedAnswer } from '@keelson/http-server';
import type { Request, RequestHandler } from 'express';
import { prepareAsJson, sendPrepared } from './answer-json.js';

/**
 * Makes a handler that returns its answer instead of writing it, so that its whole work is one unit that may run again: on a
 * fresh EntityManager and connection, when a failure has certainly stored nothing. A restart of the database is
 * then a slower answer, not a 503.
 *
 * `work` must do nothing outside of the database: a repetition would do it twice. It may read the body of the request as a
 * stream, but then it runs again only if it had not begun to read. The answer is prepared before the commit, so that
 * nothing is stored when it cannot be sent; it is written once, after the commit.
 *
 * Fails with HTTP_SESSION_MISSING for a route with `session: 'none'` or a service without a database.
 */
export function repeatable<Params = Request['params']>(
  work: (em: EntityManager, request: Request<Params>) => Promise<Answer>,
): RequestHandler<Params> {
  return async (request, response) => {
    const prepare = (answer: Answer) => prepareAsJson(answer, response);
    sendPrepared(await repeatedAnswer(request, { work: em => work(em, request), prepare }), response);
  };
}

import type { EntityManager } from '@keelson/database/contract';
import type { Request, RequestHandler } from 'express';
import { attachedUnits } from './request-sessions.js';

/** The answer of a repeatable handler. */
export interface Answer {
  /** Default 200. From 400 on, nothing of the unit is stored. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; left out, the answer has no body. */
  readonly body?: unknown;
}

/**
 * Makes a handler that returns its answer instead of writing it, so that its whole work is one unit that may run again: on a
 * fresh EntityManager and connection, when a failure has certainly stored nothing. A restart of the database is
 * then a slower answer, not a 503.
 *
 * `work` must do nothing outside of the database: a repetition would do it twice. The answer is written once, after the
 * commit.
 *
 * Fails with HTTP_SESSION_MISSING for a route with `session: 'none'` or a service without a database.
 */
export function repeatable<Params = Request['params']>(
  work: (em: EntityManager, request: Request<Params>) => Promise<Answer>,
): RequestHandler<Params> {
  return async (request, response) => {
    const { status = 200, headers = {}, body } = await answerOf(request, work);
    response.status(status).set(headers);
    if (body === undefined) response.end();
    else response.json(body);
  };
}

async function answerOf<Params>(
  request: Request<Params>,
  work: (em: EntityManager, request: Request<Params>) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await attachedUnits(request).run(async em => {
      const answer = await work(em, request);
      if ((answer.status ?? 200) >= 400) throw new Refusal(answer);
      return answer;
    });
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}

/** Rolls the unit back on its way to the answer. */
class Refusal extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super('the answer is a refusal');
    this.answer = answer;
  }
}

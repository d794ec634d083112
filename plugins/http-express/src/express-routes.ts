import type { EntityManager } from '@keelson/database/contract';
import {
  type Answer,
  type Attempt,
  ClaimedKey,
  checkAnswer,
  type PreparedAnswer,
  prepareAnswer,
  type Route,
  RowStream,
  rowCheck,
} from '@keelson/http';
import { type Request, type RequestHandler, Router } from 'express';
import { sendPrepared } from './answer-json.js';
import { repeatedAnswer } from './repeatable.js';
import { currentSession, unitsOf } from './request-sessions.js';
import { routeOf } from './route-template.js';
import { sendRows } from './send-rows.js';

/** The routes as Express has them. `checks`: an answer that its route does not describe is an error. */
export function expressRouter(routes: readonly Route[], { checks }: { readonly checks: boolean }): Router {
  const router = Router();
  for (const route of routes) router[route.method](route.path, handlerOf(route, checks));
  return router;
}

function handlerOf(route: Route, checks: boolean): RequestHandler {
  const prepare = (answer: Answer): PreparedAnswer => {
    const prepared = prepareAnswer(answer);
    if (checks) checkAnswer(route, prepared);
    return prepared;
  };
  const answer = route.repeatable ? answerRepeatedly : answerOnce;
  const map = (error: unknown) => {
    throw route.mapError(error);
  };
  return async (request, response) => {
    const given = await answer(route, request, prepare).catch(map);
    // Its session commits while the answer is sent.
    unitsOf(request)?.mapErrors(route.mapError);
    if (!isRows(given)) return sendPrepared(given, response);
    const { status = 200, headers = {}, body } = given;
    response.status(status).set(headers);
    await sendRows(response, body.source, {
      ...body.options,
      ...(checks && { check: rowCheck(route, status) }),
    }).catch((error: unknown) => {
      // What has begun is cut, and the log has the error as it was.
      if (response.headersSent) throw error;
      map(error);
    });
  };
}

type RowsAnswer = Answer & { readonly body: RowStream<object> };

function isRows(answer: PreparedAnswer | RowsAnswer): answer is RowsAnswer {
  return 'body' in answer;
}

type Prepare = (answer: Answer) => PreparedAnswer;

async function answerRepeatedly(route: Route, request: Request, prepare: Prepare): Promise<PreparedAnswer> {
  const { params, query, body } = request;
  const handle = route.accept(receivedBy(request));
  const key =
    route.idempotency &&
    ClaimedKey.of(
      { request, route: `${request.method} ${routeOf(request)}`, content: { params, query, body } },
      route.idempotency,
    );
  return repeatedAnswer(request, { key, work: em => handle(new RequestAttempt(request, em)), prepare });
}

async function answerOnce(route: Route, request: Request, prepare: Prepare): Promise<PreparedAnswer | RowsAnswer> {
  const answer = await route.accept(receivedBy(request))(new RequestAttempt(request));
  // The body may show what a flush sets, such as a key; and an error of the flush is still the handler's.
  if ((answer.status ?? 200) < 400) await unitsOf(request)?.flush();
  const { body } = answer;
  return body instanceof RowStream ? { ...answer, body } : prepare(answer);
}

function receivedBy(request: Request) {
  const { params, query, body } = request;
  return { params, query, body, request };
}

/** What a handler asks for is made when it does. */
class RequestAttempt implements Attempt {
  readonly #request: Request;
  readonly #em: EntityManager | undefined;

  constructor(request: Request, em?: EntityManager) {
    this.#request = request;
    this.#em = em;
  }

  get em(): EntityManager {
    return this.#em ?? currentSession(this.#request);
  }

  get signal(): AbortSignal {
    return unitsOf(this.#request)?.signal ?? clientSignal(this.#request);
  }
}

/** For a request without a session: aborts when the client disconnects before the end of its answer. */
function clientSignal({ res }: Request): AbortSignal {
  const client = new AbortController();
  res?.once('close', () => {
    if (!res.writableFinished) client.abort(new DOMException('The client has gone away.', 'AbortError'));
  });
  return client.signal;
}

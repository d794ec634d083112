import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EntityManager } from '@keelson/database/contract';
import {
  type Answer,
  type Attempt,
  ClaimedKey,
  checkAnswer,
  type PreparedAnswer,
  prepareAnswer,
  type ReceivedRequest,
  type Route,
  RowStream,
  rowCheck,
} from '@keelson/http';
import { repeatedAnswer } from './repeated-answer.js';
import { currentSession, unitsOf } from './request-sessions.js';
import { routeOf } from './route-template.js';
import { sendRows } from './send-rows.js';

/** A request of a route, and where its answer goes. */
export interface RouteCall<Target> extends ReceivedRequest {
  readonly response: ServerResponse & { readonly req: IncomingMessage };
  /** What the framework sends an answer with. */
  readonly target: Target;
}

export interface RouteHandlerParts<Target> {
  /** Whether an answer that its route does not describe is an error. */
  readonly checks: boolean;
  /** Sends the answer. The session of the request commits before the first byte of it is sent. */
  send(answer: PreparedAnswer, target: Target): void;
}

/** Answers the requests of `route`; rejects with the error that is to be answered. */
export function routeHandler<Target>(
  route: Route,
  { checks, send }: RouteHandlerParts<Target>,
): (routed: RouteCall<Target>) => Promise<void> {
  const prepare = (answer: Answer): PreparedAnswer => {
    const prepared = prepareAnswer(answer);
    if (checks) checkAnswer(route, prepared);
    return prepared;
  };
  const answer = route.repeatable ? answerRepeatedly : answerOnce;
  const map = (error: unknown) => {
    throw route.mapError(error);
  };
  return async routed => {
    const { request, response, target } = routed;
    const given = await answer(route, routed, prepare).catch(map);
    // Its session commits while the answer is sent.
    unitsOf(request)?.mapErrors(route.mapError);
    if (!isRows(given)) return send(given, target);
    const { status = 200, headers = {}, body } = given;
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
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
type Received = RouteCall<unknown>;

async function answerRepeatedly(route: Route, routed: Received, prepare: Prepare): Promise<PreparedAnswer> {
  const { params, query, body, request } = routed;
  const handle = route.accept(routed);
  const key =
    route.idempotency &&
    ClaimedKey.of(
      { request, route: `${request.method} ${routeOf(request)}`, content: { params, query, body } },
      route.idempotency,
    );
  return repeatedAnswer(request, { key, work: em => handle(new RequestAttempt(routed, em)), prepare });
}

async function answerOnce(route: Route, routed: Received, prepare: Prepare): Promise<PreparedAnswer | RowsAnswer> {
  const answer = await route.accept(routed)(new RequestAttempt(routed));
  // The body may show what a flush sets, such as a key; and an error of the flush is still the handler's.
  if ((answer.status ?? 200) < 400) await unitsOf(routed.request)?.flush();
  const { body } = answer;
  return body instanceof RowStream ? { ...answer, body } : prepare(answer);
}

/** What a handler asks for is made when it does. */
class RequestAttempt implements Attempt {
  readonly #routed: Received;
  readonly #em: EntityManager | undefined;

  constructor(routed: Received, em?: EntityManager) {
    this.#routed = routed;
    this.#em = em;
  }

  get em(): EntityManager {
    return this.#em ?? currentSession(this.#routed.request);
  }

  get signal(): AbortSignal {
    const { request, response } = this.#routed;
    return unitsOf(request)?.signal ?? clientSignal(response);
  }
}

/** For a request without a session: aborts when the client disconnects before the end of its answer. */
function clientSignal(response: ServerResponse): AbortSignal {
  const client = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) client.abort(new DOMException('The client has disconnected.', 'AbortError'));
  });
  return client.signal;
}

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type EntityManager, translate } from '@keelson/database/contract';
import type { z } from 'zod';
import type { Answer, AnswerDescriptions, AnswerOf } from './answer.js';
import { type IdempotencyOptions, type IdempotencySettings, settingsOf } from './idempotency/options.js';
import type { PathNames } from './path-template.js';
import { type InputSchemas, readInput } from './read-input.js';
import { assertRoute } from './route-problems.js';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** How a route appears in the API description. */
export interface RouteTexts {
  /** A few words: `Places an order`. */
  readonly summary?: string;
  /** Markdown. */
  readonly description?: string;
  readonly tags?: readonly string[];
  /** A name for generated clients, unique in the service: `placeOrder`. */
  readonly operationId?: string;
  readonly deprecated?: boolean;
}

/** What a handler gets. */
export interface RouteInput<Params, Query, Body> {
  /**
   * The EntityManager of the request; in a `repeatable` route, the EntityManager of the attempt. Its first use opens the
   * session: a handler that does not touch it opens none. The commit comes before the first byte of the answer.
   *
   * @throws KeelsonError HTTP_SESSION_MISSING in a service without a database, and in a route with `session: 'none'`.
   */
  readonly em: EntityManager;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the client disconnects before it has its answer. */
  readonly signal: AbortSignal;
  readonly request: IncomingMessage;
}

type ParamsSchema<Path extends string> = z.ZodObject<Record<PathNames<Path>, z.ZodType>>;

export interface RouteDefinition<
  Path extends string,
  Params extends ParamsSchema<Path> | undefined,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
  Answers extends AnswerDescriptions,
  Result extends AnswerOf<Answers>,
> extends RouteTexts {
  readonly method: Method;
  /** Below the path where the routes are mounted: `/`, `/:id`, `/:id/lines`. */
  readonly path: Path;
  /** What `:id` must be. Left out: any text. */
  readonly params?: Params;
  /** The values are texts, and a list when a key comes twice: use `z.coerce` for numbers. */
  readonly query?: Query;
  /** Of a JSON body. Left out: the body is not read, and `body` is undefined. */
  readonly body?: Body;
  /** The answers that this route gives, by status; problem documents need not be named. */
  readonly answers: Answers;
  /** Sentences for problems that clients should expect, by status: `{ 404: 'No order has this id.' }`. */
  readonly problems?: Readonly<Record<number, string>>;
  /**
   * The handler may run again, on a fresh EntityManager, when a failure has certainly stored nothing: a restart of the
   * database is then a slower answer, not a 503. It must do nothing outside of the database, since a repetition would do it
   * twice. Default false: it runs once.
   */
  readonly repeatable?: boolean;
  /**
   * A request with the header `Idempotency-Key` is done once: its answer is stored with its data, and given again to each
   * repetition. The handler is `repeatable`. It costs two statements, and needs the migration `CreateIdempotencyKeys`.
   */
  readonly idempotent?: boolean | IdempotencyOptions;
  /**
   * Replaces the error of the handler, of its last flush, of its commit, or of its rows before the first is sent:
   * `error => (isQueryError(error, { kind: 'unique' }) ? skuTaken() : error)`. Errors of the database are translated before.
   */
  mapError?(error: unknown): unknown;
  /** Returns the answer; from 400 on, nothing is stored. A `KeelsonError` with `http` becomes a problem document. */
  handle(
    input: RouteInput<
      Params extends z.ZodType ? z.output<Params> : { readonly [Name in PathNames<Path>]: string },
      Query extends z.ZodType ? z.output<Query> : Readonly<Record<string, unknown>>,
      Body extends z.ZodType ? z.output<Body> : undefined
    >,
  ): Promise<Result> | Result;
}

/** A request as a server has received it. */
export interface ReceivedRequest {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Undefined when there is none, or none that is JSON. */
  readonly body: unknown;
  readonly request: IncomingMessage;
}

/** What an attempt of a handler runs with. */
export interface Attempt {
  readonly em: EntityManager;
  readonly signal: AbortSignal;
}

/** A route for a server. */
export interface Route extends RouteTexts {
  readonly method: Method;
  readonly path: string;
  readonly schemas: InputSchemas;
  readonly answers: AnswerDescriptions;
  readonly problems: Readonly<Record<number, string>>;
  readonly repeatable: boolean;
  /** Undefined: it takes no notice of an `Idempotency-Key`. */
  readonly idempotency: IdempotencySettings | undefined;
  /** The error that is answered instead of `error`. */
  mapError(error: unknown): unknown;
  /**
   * Checks the request, and returns its handler, which each attempt calls.
   *
   * @throws KeelsonError HTTP_INPUT_INVALID with one entry for each wrong field, or HTTP_BODY_NOT_JSON.
   */
  accept(received: ReceivedRequest): (attempt: Attempt) => Promise<Answer>;
}

/**
 * Describes one route of a service: its input, its answers and its handler. The same schemas check the input, type the
 * handler and appear in the OpenAPI document. Schemas must be synchronous.
 *
 * @throws KeelsonError HTTP_ROUTE_INVALID with all problems of the definition.
 */
export function route<
  const Path extends string,
  Answers extends AnswerDescriptions,
  Params extends ParamsSchema<Path> | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
  const Result extends AnswerOf<Answers> = AnswerOf<Answers>,
>(definition: RouteDefinition<Path, Params, Query, Body, Answers, Result>): Route;
export function route(definition: AnyDefinition): Route {
  const {
    params,
    query,
    body,
    handle,
    repeatable = false,
    idempotent = false,
    problems = {},
    mapError,
    ...described
  } = definition;
  assertRoute(definition);
  return {
    ...described,
    schemas: { params, query, body },
    repeatable: repeatable || idempotent !== false,
    idempotency: idempotent === false ? undefined : settingsOf(idempotent === true ? {} : idempotent),
    problems,
    mapError: error => (mapError === undefined ? error : mapError(translate(error))),
    accept(received) {
      const input = readInput({ params, query, body }, received);
      const { request } = received;
      return async attempt => handle(new AcceptedInput(input, request, attempt));
    },
  };
}

/** What the implementation knows of a definition: the schemas make what the types of its handler say. */
interface AnyDefinition extends RouteTexts {
  readonly method: Method;
  readonly path: string;
  readonly params?: z.ZodObject | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  readonly answers: AnswerDescriptions;
  readonly problems?: Readonly<Record<number, string>>;
  readonly repeatable?: boolean;
  readonly idempotent?: boolean | IdempotencyOptions;
  mapError?(error: unknown): unknown;
  handle(input: RouteInput<unknown, unknown, unknown>): Promise<Answer> | Answer;
}

interface ReadInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** Asks for the EntityManager and the signal when the handler does. */
class AcceptedInput implements RouteInput<unknown, unknown, unknown> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly request: IncomingMessage;
  readonly #attempt: Attempt;

  constructor({ params, query, body }: ReadInput, request: IncomingMessage, attempt: Attempt) {
    this.params = params;
    this.query = query;
    this.body = body;
    this.request = request;
    this.#attempt = attempt;
  }

  get em(): EntityManager {
    return this.#attempt.em;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get headers(): IncomingHttpHeaders {
    return this.request.headers;
  }
}

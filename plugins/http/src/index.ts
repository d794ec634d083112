export type { Answer, AnswerDescription, AnswerDescriptions, AnswerOf, AsJson } from './answer.js';
export { documentHandler, type PageFacts, pageHandler } from './api-pages.js';
export { checkAnswer, rowCheck } from './check-answer.js';
export { errorCodes } from './error-codes.js';
export { fieldProblems } from './field-problems.js';
export { HttpRoutes } from './http-routes.js';
export { ClaimedKey } from './idempotency/claimed-key.js';
export { KeyCleaner } from './idempotency/key-cleaner.js';
export type { IdempotencyOptions } from './idempotency/options.js';
export { type Middleware, MiddlewareList, middlewareStages, type OrderedMiddleware } from './middleware-order.js';
export { MountedRoutes } from './mounted-routes.js';
export type { ApiFacts, MountedRoute, OpenApiDocument } from './open-api.js';
export type { PathNames } from './path-template.js';
export { type PreparedAnswer, prepareAnswer } from './prepared-answer.js';
export { RateLimitKey } from './rate-limits/rate-limit-key.js';
export {
  type Attempt,
  type Method,
  type ReceivedRequest,
  type Route,
  type RouteDefinition,
  type RouteInput,
  type RouteTexts,
  route,
} from './route.js';
export {
  type RowFormat,
  type RowOptions,
  type RowSource,
  RowStream,
  rowHeaders,
  rowsOf,
  rowTexts,
} from './row-stream.js';

import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiParameterObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import type { AnswerDescription } from './answer.js';
import { describedAnswer } from './check-answer.js';
import { http } from './node-http.js';
import { namesIn, openApiPath } from './path-template.js';
import { problemDocument } from './problem-schema.js';
import type { Route } from './route.js';

/** An OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html). */
export type OpenApiDocument = ReturnType<typeof createDocument>;

export interface MountedRoute {
  /** The path it is mounted at. */
  readonly at: string;
  readonly route: Route;
}

export interface ApiFacts {
  readonly title: string;
  readonly version: string;
}

type Responses = Record<`${number}` | 'default', ZodOpenApiResponseObject>;

/** The document of `routes`, made from the schemas that check their input and their answers. */
export function openApiDocument(routes: readonly MountedRoute[], info: ApiFacts): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  for (const { at, route } of routes) {
    const path = openApiPath(at, route.path);
    paths[path] = { ...paths[path], [route.method]: operationOf(at, route) };
  }
  return createDocument({ openapi: '3.1.1', info: { ...info }, paths });
}

function operationOf(at: string, route: Route): ZodOpenApiOperationObject {
  const { summary, description, operationId, deprecated, tags = defaultTags(at) } = route;
  const { params, query, body } = route.schemas;
  return {
    tags: [...tags],
    ...(summary !== undefined && { summary }),
    ...(description !== undefined && { description }),
    ...(operationId !== undefined && { operationId }),
    ...(deprecated !== undefined && { deprecated }),
    parameters: [...(params === undefined ? textParameters(route.path) : []), ...keyParameters(route)],
    requestParams: { ...(params !== undefined && { path: params }), ...(query !== undefined && { query }) },
    ...(body !== undefined && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: responsesOf(route),
  };
}

/** The first part of the path, so that a page groups the routes of one mount. */
function defaultTags(at: string): readonly string[] {
  return at
    .split('/')
    .filter(part => part !== '')
    .slice(0, 1);
}

function textParameters(path: string): ZodOpenApiParameterObject[] {
  return namesIn(path).map(name => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

function keyParameters({ idempotency }: Route): ZodOpenApiParameterObject[] {
  if (idempotency === undefined) return [];
  const description =
    'A unique text for this request, such as a UUID. A repetition with the same key is not done again: it gets the first answer.';
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: idempotency.required,
      description,
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    },
  ];
}

function responsesOf({ answers, problems, schemas }: Route): Responses {
  const responses: Responses = { default: problem('Any other problem.') };
  if (Object.values(schemas).some(schema => schema !== undefined)) {
    responses['422'] = problem('The input is not valid; each entry of "errors" names a field.');
  }
  for (const [status, sentence] of Object.entries(problems)) responses[`${Number(status)}`] = problem(sentence);
  for (const [status, answer] of Object.entries(answers)) {
    responses[`${Number(status)}`] = responseOf(Number(status), describedAnswer(answer));
  }
  return responses;
}

function problem(description: string): ZodOpenApiResponseObject {
  return { description, content: { 'application/problem+json': { schema: problemDocument } } };
}

function responseOf(
  status: number,
  { description, body, rows, headers = {} }: AnswerDescription,
): ZodOpenApiResponseObject {
  const described = Object.entries(headers).map(([name, text]) => [
    name,
    { description: text, schema: { type: 'string' as const } },
  ]);
  return {
    description: description ?? http.STATUS_CODES[status] ?? String(status),
    ...(described.length > 0 && { headers: Object.fromEntries(described) }),
    ...(body !== undefined && { content: { 'application/json': { schema: body } } }),
    ...(rows !== undefined && { content: { 'application/x-ndjson': { schema: rows }, 'text/csv': { schema: text } } }),
  };
}

const text = { type: 'string' as const };

import type { IncomingMessage } from 'node:http';
import { type FieldProblem, KeelsonError } from '@keelson/core';
import type { z } from 'zod';
import { fieldProblems } from './field-problems.js';

export interface InputSchemas {
  readonly params?: z.ZodObject | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
}

interface Received {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly request: IncomingMessage;
}

interface Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/**
 * Returns the input as the schemas read it; without a schema, the path and the query as they were received, and no body.
 *
 * @throws KeelsonError HTTP_INPUT_INVALID with one entry for each wrong field of all parts, or HTTP_BODY_NOT_JSON.
 */
export function readInput(schemas: InputSchemas, { params, query, body, request }: Received): Input {
  if (schemas.body !== undefined && body === undefined && hasBody(request)) throw bodyNotJson();
  const problems: FieldProblem[] = [];
  const read = (schema: z.ZodType | undefined, value: unknown, at: Pick<FieldProblem, 'in'>): unknown => {
    if (schema === undefined) return value;
    const result = schema.safeParse(value);
    if (!result.success) problems.push(...fieldProblems(result.error.issues, at));
    return result.data;
  };
  const input = {
    params: read(schemas.params, params, { in: 'path' }),
    query: read(schemas.query, query, { in: 'query' }),
    body: schemas.body === undefined ? undefined : read(schemas.body, body, {}),
  };
  if (problems.length > 0) throw inputInvalid(body === undefined ? problems.map(orMissing) : problems);
  return input;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function orMissing(problem: FieldProblem): FieldProblem {
  const isBody = problem.path === '' && problem.in === undefined;
  return isBody ? { path: '', message: 'The body is missing: send it as application/json.' } : problem;
}

function inputInvalid(errors: readonly FieldProblem[]): KeelsonError {
  const fields = errors.map(({ in: part = 'body', path }) => (path === '' ? part : `${part} ${path}`));
  return new KeelsonError({
    code: 'HTTP_INPUT_INVALID',
    message: `The input of a request is not valid: ${fields.join(', ')}.`,
    facts: { fields },
    http: {
      status: 422,
      title: 'Unprocessable Content',
      detail: 'The input is not valid; each entry of "errors" names a field.',
      errors,
    },
  });
}

function bodyNotJson(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_NOT_JSON',
    message: 'A route that reads JSON received a body of another type.',
    http: {
      status: 415,
      title: 'Unsupported Media Type',
      detail: 'Send the body as JSON, with the header Content-Type: application/json.',
    },
  });
}

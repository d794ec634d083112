import { KeelsonError } from '@keelson/core';
import type { z } from 'zod';
import type { AnswerDescriptions } from './answer.js';
import { isSchema } from './is-schema.js';
import { isPathTemplate, namesIn } from './path-template.js';

interface Definition {
  readonly method: string;
  readonly path: string;
  readonly params?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  readonly answers: AnswerDescriptions;
  readonly problems?: Readonly<Record<number, string>>;
  readonly idempotent?: boolean | object;
}

/** Statuses whose answers have no body (RFC 9110, 15.3.5, 15.3.6 and 15.4.5). */
const withoutBody = new Set([204, 205, 304]);

/** @throws KeelsonError HTTP_ROUTE_INVALID with all problems of `definition`. */
export function assertRoute(definition: Definition): void {
  const problems = [
    ...pathProblems(definition),
    ...methodProblems(definition),
    ...Object.entries(definition.answers).flatMap(([status, answer]) => answerProblems(Number(status), answer)),
    ...Object.keys(definition.problems ?? {}).flatMap(problemStatusProblems),
  ];
  if (Object.keys(definition.answers).length === 0) problems.push('answers: must name at least one status');
  if (problems.length === 0) return;
  const name = `${definition.method.toUpperCase()} ${definition.path}`;
  throw new KeelsonError({
    code: 'HTTP_ROUTE_INVALID',
    message: `The definition of the route ${name} is not valid: ${problems.join('; ')}.`,
    hint: 'Change what you pass to route().',
    facts: { route: name, problems },
  });
}

function pathProblems({ path, params }: Definition): string[] {
  if (!isPathTemplate(path))
    return ['path: must be "/", or segments that are plain text or a name such as ":id", each after a slash'];
  const names = namesIn(path);
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  const problems = twice.map(name => `path: has ":${name}" twice`);
  if (params === undefined) return problems;
  const described = Object.keys(params.shape);
  return [
    ...problems,
    ...names.filter(name => !described.includes(name)).map(name => `params: has no schema for ":${name}"`),
    ...described.filter(name => !names.includes(name)).map(name => `params: the path has no ":${name}"`),
  ];
}

function methodProblems({ method, body, idempotent = false }: Definition): string[] {
  if (method !== 'get') return [];
  return [
    ...(body === undefined ? [] : ['body: not allowed for GET']),
    ...(idempotent === false ? [] : ['idempotent: not allowed for GET']),
  ];
}

function answerProblems(status: number, answer: z.ZodType | object): string[] {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    return [`answers: ${status} is not a status from 200 to 599`];
  const body = isSchema(answer) ? answer : Reflect.get(answer, 'body');
  const rows = isSchema(answer) ? undefined : Reflect.get(answer, 'rows');
  if (body !== undefined && rows !== undefined) return [`answers: ${status} has a body or rows, not both`];
  return withoutBody.has(status) && (body ?? rows) !== undefined ? [`answers: ${status} has no body`] : [];
}

function problemStatusProblems(status: string): string[] {
  const number = Number(status);
  const isProblem = Number.isInteger(number) && number >= 400 && number <= 599;
  return isProblem ? [] : [`problems: ${status} is not a status from 400 to 599`];
}

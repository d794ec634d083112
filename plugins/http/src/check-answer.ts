import { KeelsonError } from '@keelson/core';
import type { z } from 'zod';
import type { AnswerDescription } from './answer.js';
import { fieldProblems } from './field-problems.js';
import { isSchema } from './is-schema.js';
import type { PreparedAnswer } from './prepared-answer.js';
import type { Route } from './route.js';

/**
 * Compares an answer with what the route says of it: its status, and its body as the client reads it.
 *
 * @throws KeelsonError HTTP_ANSWER_INVALID, a 500 for the client.
 */
export function checkAnswer(route: Route, { status, text }: PreparedAnswer): void {
  const description = route.answers[status];
  if (description === undefined) {
    // Problems are described by their sentence alone.
    if (status in route.problems) return;
    throw answerInvalid(route, status, [`the route does not name the status ${status}`]);
  }
  const problems = bodyProblems(describedAnswer(description).body, text);
  if (problems.length > 0) throw answerInvalid(route, status, problems);
}

/**
 * Returns what compares each row of an answer with what the route says of it.
 *
 * @throws KeelsonError HTTP_ANSWER_INVALID; so does the result.
 */
export function rowCheck(route: Route, status: number): (row: unknown) => void {
  const description = route.answers[status];
  const schema = description === undefined ? undefined : describedAnswer(description).rows;
  if (schema === undefined) throw answerInvalid(route, status, ['the route names no rows for this status']);
  return row => {
    const result = schema.safeParse(row);
    if (result.success) return;
    const problems = fieldProblems(result.error.issues);
    throw answerInvalid(
      route,
      status,
      problems.map(({ path, message }) => `${path || 'a row'}: ${message}`),
    );
  };
}

export function describedAnswer(answer: z.ZodType | AnswerDescription): AnswerDescription {
  return isSchema(answer) ? { body: answer } : answer;
}

function bodyProblems(schema: z.ZodType | undefined, text: string | undefined): string[] {
  if (schema === undefined) return text === undefined ? [] : ['the route names no body for this status'];
  if (text === undefined) return ['the body is missing'];
  const result = schema.safeParse(JSON.parse(text));
  if (result.success) return [];
  return fieldProblems(result.error.issues).map(({ path, message }) => `${path || 'the body'}: ${message}`);
}

function answerInvalid({ method, path }: Route, status: number, problems: readonly string[]): KeelsonError {
  const name = `${method.toUpperCase()} ${path}`;
  return new KeelsonError({
    code: 'HTTP_ANSWER_INVALID',
    message: `The route ${name} gave an answer that it does not describe: ${problems.join('; ')}.`,
    hint: 'Change the handler, or the "answers" of the route. Nothing was stored.',
    facts: { route: name, status, problems },
    http: {
      status: 500,
      title: 'Internal Server Error',
      detail: 'The answer is not what the API describes. The log of the service names the fields.',
    },
  });
}

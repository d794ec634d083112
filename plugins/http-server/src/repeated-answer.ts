import type { IncomingMessage } from 'node:http';
import { KeelsonError } from '@keelson/core';
import type { EntityManager } from '@keelson/database/contract';
import type { Answer, ClaimedKey, PreparedAnswer } from '@keelson/http';
import { attachedUnits } from './request-sessions.js';

/** All of it runs in one unit, which may run again. */
export interface RepeatedWork {
  /** Has the answer of an earlier request, and keeps that of this one. */
  readonly key?: ClaimedKey | undefined;
  work(em: EntityManager): Promise<Answer>;
  prepare(answer: Answer): PreparedAnswer;
}

export async function repeatedAnswer(
  request: IncomingMessage,
  { key, work, prepare }: RepeatedWork,
): Promise<PreparedAnswer> {
  const units = attachedUnits(request);
  const canRepeat = repeatsBody(request);
  try {
    return await units.run(async em => {
      if (!canRepeat()) throw bodyIsGone();
      const earlier = await key?.claim(em);
      if (earlier !== undefined) return earlier;
      const answer = await work(em);
      if ((answer.status ?? 200) >= 400) throw new Refusal(prepare(answer));
      // The body may show what a flush sets, such as a key.
      if (!units.readOnly && answer.body !== undefined) await em.flush();
      const prepared = prepare(answer);
      await key?.store(em, prepared);
      return prepared;
    });
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}

/** Asked before each attempt: false when an earlier attempt has read from a body that is not kept. */
function repeatsBody(request: IncomingMessage): () => boolean {
  const { headers, readableDidRead } = request;
  if (readableDidRead || (headers['transfer-encoding'] === undefined && !(Number(headers['content-length']) > 0)))
    return () => true;
  return () => !request.readableDidRead;
}

function bodyIsGone(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_GONE',
    message: 'The work of a repeatable handler had to run again, and it had already read the body of its request.',
    hint: 'Read the body before the handler, for example with express.text() or express.raw(): then each attempt has it.',
    http: {
      status: 503,
      title: 'Service Unavailable',
      detail: 'The request was not carried out. Please send it again.',
      retryAfterMs: 1_000,
    },
  });
}

/** Rolls the unit back on its way to the answer. */
class Refusal extends Error {
  readonly answer: PreparedAnswer;

  constructor(answer: PreparedAnswer) {
    super('the answer is a refusal');
    this.answer = answer;
  }
}

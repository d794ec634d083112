import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isKeelsonError, KeelsonError } from '@keelson/core';
import { type EntityManager, translate } from '@keelson/database/contract';
import type { PreparedAnswer } from '../prepared-answer.js';
import { claimKey, findAnswer, storeAnswer } from './key-table.js';
import type { IdempotencySettings } from './options.js';
import { readKey } from './read-key.js';

export interface KeyedRequest {
  readonly request: IncomingMessage;
  /** The route, low in cardinality: `POST /orders`. */
  readonly route: string;
  /** What else makes it the same request. */
  readonly content: { readonly params: unknown; readonly query: unknown; readonly body: unknown };
}

interface Known {
  readonly fingerprint: string;
  readonly answer: string | null;
}

/**
 * The key of one request. Call `claim` and `store` in the unit of its handler: key, answer and data are then stored
 * together, or not at all.
 */
export class ClaimedKey {
  readonly #key: string;
  readonly #scope: string;
  readonly #fingerprint: string;
  readonly #keepMs: number;

  private constructor(key: string, { request, route, content }: KeyedRequest, settings: IdempotencySettings) {
    this.#key = key;
    this.#scope = `${route} ${settings.caller(request)}`;
    this.#fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('base64');
    this.#keepMs = settings.keepMs;
  }

  /**
   * Undefined for a request without a key.
   *
   * @throws KeelsonError HTTP_IDEMPOTENCY_KEY_INVALID.
   */
  static of(keyed: KeyedRequest, settings: IdempotencySettings): ClaimedKey | undefined {
    const key = readKey(keyed.request, settings.required);
    return key === undefined ? undefined : new ClaimedKey(key, keyed, settings);
  }

  /**
   * Returns the answer that was given for this key; undefined when there is none, and the handler is to run. While another
   * request with the key runs, this one waits, at most as long as for any lock.
   *
   * @throws KeelsonError HTTP_IDEMPOTENCY_KEY_REUSED, or HTTP_IDEMPOTENCY_KEY_IN_USE.
   */
  async claim(em: EntityManager): Promise<PreparedAnswer | undefined> {
    const claimed = await this.#claim(em);
    if (claimed.length > 0) return undefined;
    const [known] = await em.execute<Known[]>(findAnswer, [this.#scope, this.#key]);
    // Its row was deleted between the two statements, or its transaction has not ended.
    if (known === undefined || known.answer === null) throw keyInUse();
    if (known.fingerprint !== this.#fingerprint) throw keyReused();
    const { status, headers, text }: PreparedAnswer = JSON.parse(known.answer);
    return { status, headers: { ...headers, 'Idempotent-Replayed': 'true' }, text };
  }

  async store(em: EntityManager, { status, headers, text }: PreparedAnswer): Promise<void> {
    await em.execute(storeAnswer, [JSON.stringify({ status, headers, text }), this.#scope, this.#key]);
  }

  async #claim(em: EntityManager): Promise<unknown[]> {
    try {
      return await em.execute<unknown[]>(claimKey, [this.#scope, this.#key, this.#fingerprint, this.#keepMs]);
    } catch (error) {
      const translated = translate(error);
      if (isKeelsonError(translated) && translated.facts.kind === 'lock-timeout') throw keyInUse(translated);
      throw error;
    }
  }
}

function keyReused(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_IDEMPOTENCY_KEY_REUSED',
    message: 'A request has the Idempotency-Key of an earlier request with different content.',
    http: {
      status: 422,
      title: 'Unprocessable Content',
      detail: 'The Idempotency-Key was used for a request with different content. Use a new key for a new request.',
    },
  });
}

function keyInUse(cause?: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_IDEMPOTENCY_KEY_IN_USE',
    message: 'A request with the same Idempotency-Key was still running.',
    cause,
    http: {
      status: 409,
      title: 'Conflict',
      detail: 'A request with this Idempotency-Key is still running. Send it again to get its answer.',
      retryAfterMs: 1_000,
    },
  });
}

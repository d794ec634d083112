import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Counter as Instrument, KeelsonError, type Logger, type Metrics } from '@keelson/core';
import type { DatabaseService } from '@keelson/database/contract';
import { countCleaner } from './count-cleaner.js';
import type { Count, Counter } from './counter.js';
import { DatabaseCounter } from './database-counter.js';
import { matcherOf } from './limited-paths.js';
import { MemoryCounter } from './memory-counter.js';
import { networkOf } from './network-of.js';
import type { RateLimitOptions, RateLimitsOptions } from './options.js';
import type { RateLimitKey } from './rate-limit-key.js';

export interface RateLimitsParts {
  readonly options: RateLimitsOptions;
  readonly keys: readonly RateLimitKey[];
  /** Undefined in a service without one. */
  readonly database: DatabaseService | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The limits before a reload. A limit with the same options keeps its counts. */
  readonly before?: RateLimits;
}

export interface LimitedRequest {
  readonly request: IncomingMessage;
  readonly method: string;
  /** Without the query, as it came. */
  readonly path: string;
  /** Of the client, behind the proxies that are trusted. */
  readonly address: string | undefined;
}

/** What the limits say of one request. */
export interface RateLimitOutcome {
  /** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11). */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for a request that may go on. */
  readonly refusal: KeelsonError | undefined;
}

/** Counts requests, and refuses those of a caller that has used up its window. */
export class RateLimits implements Disposable {
  readonly #limits: readonly Limit[];
  readonly #cleaner: Disposable | undefined;

  private constructor(limits: readonly Limit[], cleaner: Disposable | undefined) {
    this.#limits = limits;
    this.#cleaner = cleaner;
  }

  /**
   * Resolves when the table of counts is there, where a limit needs it.
   *
   * @throws KeelsonError HTTP_RATE_LIMITS_INVALID with all problems; HTTP_RATE_LIMIT_TABLE.
   */
  static async start(parts: RateLimitsParts): Promise<RateLimits> {
    assertValid(parts);
    const { database, options, before } = parts;
    const isShared = Object.values(options).some(({ store }) => store === 'database');
    const cleaner = isShared && database !== undefined ? await countCleaner({ ...parts, database }) : undefined;
    return new RateLimits(limitsOf(parts, before === undefined ? [] : before.#limits), cleaner);
  }

  [Symbol.dispose](): void {
    this.#cleaner?.[Symbol.dispose]();
  }

  /**
   * Undefined when no limit counts the request. The limits count in the order of the configuration, up to the first that
   * refuses. Rejects with what a `RateLimitKey` throws.
   */
  count(request: LimitedRequest): Promise<RateLimitOutcome> | undefined {
    const counting = this.#limits.filter(({ counts }) => counts(request.method, request.path));
    return counting.length === 0 ? undefined : outcomeOf(counting, request);
  }
}

/** One limit of the configuration. */
interface Limit {
  readonly name: string;
  readonly options: RateLimitOptions;
  readonly counts: (method: string, path: string) => boolean;
  readonly callerOf: (request: LimitedRequest) => string;
  readonly counter: Counter;
  readonly refused: Instrument;
}

async function outcomeOf(limits: readonly Limit[], request: LimitedRequest): Promise<RateLimitOutcome> {
  const policies: string[] = [];
  const states: string[] = [];
  for (const limit of limits) {
    const { name, options } = limit;
    const count = await limit.counter.count(keyOf(name, limit.callerOf(request)));
    policies.push(`"${name}";q=${options.limit};w=${options.windowMs / 1_000}`);
    states.push(`"${name}";r=${Math.max(0, count.left)};t=${Math.ceil(count.leftMs / 1_000)}`);
    if (count.left >= 0) continue;
    limit.refused.add(1, { 'http.rate_limit.name': name });
    return { headers: headersOf(policies, states), refusal: rateLimited(limit, count) };
  }
  return { headers: headersOf(policies, states), refusal: undefined };
}

function headersOf(policies: readonly string[], states: readonly string[]): Record<string, string> {
  return { 'RateLimit-Policy': policies.join(', '), RateLimit: states.join(', ') };
}

/** Short, however long the header of a client is, and no value of a user. */
function keyOf(name: string, caller: string): string {
  return createHash('sha256').update(`${name}\n${caller}`).digest('base64url');
}

function limitsOf(
  { options, keys, database, clock, logger, metrics }: RateLimitsParts,
  before: readonly Limit[],
): Limit[] {
  const refused = metrics.counter({
    name: 'http.server.rate_limit.refusals',
    description: 'Requests that were refused because their caller had used up its window',
    unit: '{request}',
    labels: ['http.rate_limit.name'],
  });
  const here = metrics.counter({
    name: 'http.server.rate_limit.fallbacks',
    description: 'Requests that an instance counted separately because the database did not answer',
    unit: '{request}',
    labels: ['http.rate_limit.name'],
  });
  return Object.entries(options).map(([name, limit]) => {
    const onMeanwhile = () => here.add(1, { 'http.rate_limit.name': name });
    const meanwhile = new MemoryCounter(limit, clock);
    const isShared = limit.store === 'database' && database !== undefined;
    const known = before.find(one => one.name === name && isDeepStrictEqual(one.options, limit))?.counter;
    const fresh = () =>
      isShared
        ? new DatabaseCounter({ name, options: limit, database, meanwhile, onMeanwhile, clock, logger })
        : meanwhile;
    const counter = known ?? fresh();
    return { name, options: limit, counts: matcherOf(limit), callerOf: callerBy(limit.by, keys), counter, refused };
  });
}

function callerBy(by: string, keys: readonly RateLimitKey[]): (request: LimitedRequest) => string {
  const byAddress = ({ address }: LimitedRequest) => `ip ${networkOf(address ?? '')}`;
  if (by === 'ip') return byAddress;
  const nameIn = valueBy(by, keys);
  return limited => {
    const value = nameIn(limited.request);
    return value === undefined || value === '' ? byAddress(limited) : `value ${value}`;
  };
}

function valueBy(by: string, keys: readonly RateLimitKey[]): (request: IncomingMessage) => string | undefined {
  const [, header] = /^header:(.*)$/.exec(by) ?? [];
  if (header === undefined) return request => keys.find(({ name }) => name === by)?.of(request);
  const name = header.toLowerCase();
  return ({ headersDistinct }) => headersDistinct[name]?.join(', ');
}

function assertValid({ options, keys, database }: RateLimitsParts): void {
  const known = ['ip', ...keys.map(({ name }) => name)];
  const faults = Object.entries(options).flatMap(([name, { by, store }]) => [
    ...(by.startsWith('header:') || known.includes(by)
      ? []
      : [`${name} counts by "${by}", which is not one of ${known.join(', ')}`]),
    ...(store === 'memory' || database !== undefined
      ? []
      : [`${name} counts in the database, but the service has no database`]),
  ]);
  if (faults.length === 0) return;
  throw new KeelsonError({
    code: 'HTTP_RATE_LIMITS_INVALID',
    message: `The rate limits of the configuration are not valid: ${faults.join('; ')}.`,
    hint: 'Bind each key in a plugin: bind(RateLimitKey).toConstantValue({ name, of }). Without a database, use store: memory.',
    facts: { rateLimits: faults.length },
  });
}

function rateLimited({ name, options }: Limit, { leftMs }: Count): KeelsonError {
  const { limit, windowMs } = options;
  return new KeelsonError({
    code: 'HTTP_RATE_LIMITED',
    message: `A request was refused: its caller has used up the rate limit "${name}".`,
    hint: 'Send fewer requests, or change the limit in the configuration of the service.',
    facts: { rateLimit: name, limit, windowMs },
    http: {
      status: 429,
      title: 'Too Many Requests',
      detail: `Only ${limit} such requests are answered in ${windowMs / 1_000} s. The request was not carried out.`,
      retryAfterMs: leftMs,
    },
  });
}

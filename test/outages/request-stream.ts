import { eventually } from '@keelson/test-support/eventually';
import type { Ledger } from '@keelson/test-support/ledger';

/**
 * `orders` is a repeatable handler, `sessions` one that uses the session of its request, of which the first statement
 * alone can be repeated; the storms are units of work.
 */
export type Way = 'orders' | 'sessions' | 'storms/deadlock' | 'storms/serialization';

export interface StreamOptions {
  /** Where the service listens. */
  readonly url: string;
  readonly ledger: Ledger;
  /** Taken in turn, so that requests are not in each other's way; the storms take the first ones. */
  readonly skus: readonly string[];
  readonly requestsPerSecond: number;
  /** Taken in turn. */
  readonly ways: readonly Way[];
  /** Requests that begin at the same moment. */
  readonly together: number;
  /** When a client gives up; far beyond what the service may take. */
  readonly clientTimeoutMs: number;
}

/** How one request ended for its client. On `performance.now()`. */
export interface Ending {
  readonly way: Way;
  readonly quantity: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  /** Undefined when the connection failed, or the client gave up. */
  readonly status: number | undefined;
  /** The last part of the problem's type: `DATABASE_CONNECTION_LOST`. */
  readonly code: string | undefined;
  /** Of `Retry-After`. */
  readonly waitSeconds: number | undefined;
  /** The quantity that the answer confirms. */
  readonly told: number | undefined;
}

/** `check (quantity between 1 and 10000)` */
const mostRequests = 10_000;

/**
 * Requests at a steady pace, whatever becomes of those before. Each orders a quantity of its own: the key under which
 * the ledger and the table know it.
 */
export class RequestStream {
  readonly endings: Ending[] = [];
  readonly #options: StreamOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #quantity = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#send(), (1_000 * options.together) / options.requestsPerSecond);
  }

  get acknowledged(): number {
    return this.endings.filter(({ status }) => status === 201).length;
  }

  /** Resolves once `count` further requests have ended well. */
  async flows(count: number): Promise<void> {
    const enough = this.acknowledged + count;
    await eventually(() => this.acknowledged >= enough, { timeoutMs: 30_000, that: `${count} requests to end well` });
  }

  /** Resolves once `count` further requests have ended with `code`. */
  async endsWith(code: string, count: number): Promise<void> {
    const seen = () => this.endings.filter(ending => ending.code === code).length;
    const enough = seen() + count;
    await eventually(() => seen() >= enough, { timeoutMs: 30_000, that: `${count} requests to end with ${code}` });
  }

  /** Sends no more; resolves when all requests have ended. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #send(): void {
    for (let count = 0; count < this.#options.together && this.#quantity < mostRequests; count++) {
      const request = this.#request(++this.#quantity).finally(() => this.#running.delete(request));
      this.#running.add(request);
    }
  }

  async #request(quantity: number): Promise<void> {
    const { ledger, ways } = this.#options;
    const way = ways[quantity % ways.length] ?? 'orders';
    ledger.attempted(String(quantity));
    const beganAtMs = performance.now();
    const answer = await this.#ask(way, quantity).catch(() => ({}));
    const ending = { status: undefined, code: undefined, waitSeconds: undefined, told: undefined, ...answer };
    this.endings.push({ way, quantity, beganAtMs, endedAtMs: performance.now(), ...ending });
    if (ending.status === 201) ledger.acknowledged(String(quantity));
    else if (isCertain(ending)) ledger.refused(String(quantity));
  }

  async #ask(way: Way, quantity: number): Promise<Pick<Ending, 'status' | 'code' | 'waitSeconds' | 'told'>> {
    const { url, skus, clientTimeoutMs } = this.#options;
    const [sku, other] = productsFor(way, quantity, skus);
    const response = await fetch(`${url}/${way}?sku=${sku}&other=${other}&quantity=${quantity}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sku, quantity }),
      signal: AbortSignal.timeout(clientTimeoutMs),
    });
    const body = (await response.json()) as {
      type?: string;
      quantity?: number;
      lines?: readonly { quantity: number }[];
    };
    const wait = response.headers.get('retry-after');
    return {
      status: response.status,
      code: body.type?.split(':').at(-1),
      waitSeconds: wait === null ? undefined : Number(wait),
      // An order has it in its only line.
      told: body.lines?.[0]?.quantity ?? body.quantity,
    };
  }
}

function productsFor(way: Way, quantity: number, skus: readonly string[]): (string | undefined)[] {
  const [first, second] = skus;
  if (way === 'storms/serialization') return [first];
  // Of two that begin together each begins with the product that the other ends with.
  if (way === 'storms/deadlock') return quantity % 2 === 0 ? [first, second] : [second, first];
  return [skus[quantity % skus.length]];
}

/** The service has said that nothing is stored, or it has not got the request at all. */
function isCertain({ status, code }: Pick<Ending, 'status' | 'code'>): boolean {
  return status !== undefined && code !== 'DATABASE_AMBIGUOUS_COMMIT';
}

import { setTimeout as pause } from 'node:timers/promises';
import type { Ledger } from '@keelson/test-support/ledger';
import { productCount } from './requests.js';

export interface OrderStreamOptions {
  readonly port: number;
  readonly ledger: Ledger;
  /** Each has at most one order on its way. */
  readonly clients: number;
  /** Of each client, as long as it is answered in time. */
  readonly ordersPerSecond: number;
  /** When a client gives up. */
  readonly clientTimeoutMs: number;
}

/** How one order ended for its client. On `performance.now()`. */
export interface OrderEnding {
  /** Undefined when the connection failed, or the client gave up. */
  readonly status: number | undefined;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

export const isAcknowledged = ({ status }: OrderEnding) => status !== undefined && status >= 200 && status < 300;

/** Orders at a steady pace. Each has a quantity of its own: the key under which the ledger and the table know it. */
export class OrderStream {
  readonly endings: OrderEnding[] = [];
  readonly #options: OrderStreamOptions;
  readonly #clients: readonly Promise<void>[];
  #isEnding = false;
  #quantity = 0;

  constructor(options: OrderStreamOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, (_, index) => this.#keepOrdering(index));
  }

  /** Sends no more; resolves when all orders have ended. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#clients);
  }

  async #keepOrdering(index: number): Promise<void> {
    const everyMs = 1_000 / this.#options.ordersPerSecond;
    await pause((everyMs * index) / this.#options.clients);
    while (!this.#isEnding) {
      const nextAtMs = performance.now() + everyMs;
      await this.#order(++this.#quantity);
      await pause(Math.max(0, nextAtMs - performance.now()));
    }
  }

  async #order(quantity: number): Promise<void> {
    const { ledger } = this.#options;
    const key = String(quantity);
    ledger.attempted(key);
    const beganAtMs = performance.now();
    const status = await this.#post(quantity).catch(() => undefined);
    const ending = { status, beganAtMs, endedAtMs: performance.now() };
    this.endings.push(ending);
    if (isAcknowledged(ending)) ledger.acknowledged(key);
    else if (status !== undefined) ledger.refused(key);
  }

  async #post(quantity: number): Promise<number> {
    const { port, clientTimeoutMs } = this.#options;
    const response = await fetch(`http://127.0.0.1:${port}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ productId: 1 + (quantity % productCount), quantity }),
      signal: AbortSignal.timeout(clientTimeoutMs),
    });
    await response.arrayBuffer();
    return response.status;
  }
}

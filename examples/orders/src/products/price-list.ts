import { type Clock, Deadline, type HttpTarget, type Logger } from '@keelson/core';
import { z } from 'zod';

export const price = z.object({
  amount: z.int().describe('In the smallest unit of the currency.'),
  currency: z.string(),
});

export type Price = z.infer<typeof price>;

/** How long a product may wait for its price, and then for the rest of the answer. */
const answerMs = 1_000;
const bodyMs = 2_000;

/** Prices of products, from another service. */
export class PriceList {
  readonly #service: HttpTarget | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;

  /** Without `service` nothing has a price. */
  constructor(service: HttpTarget | undefined, clock: Clock, logger: Logger) {
    this.#service = service;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Returns undefined without a price service, null when it does not answer now. Never rejects. */
  async priceOf(sku: string): Promise<Price | null | undefined> {
    if (this.#service === undefined) return undefined;
    try {
      return await this.#ask(this.#service, sku);
    } catch (error) {
      this.#logger.warn('price not available', { error });
      return null;
    }
  }

  async #ask(service: HttpTarget, sku: string): Promise<Price | null> {
    const deadline = Deadline.after(answerMs, this.#clock);
    const signal = AbortSignal.timeout(bodyMs);
    const response = await service.fetch(`/prices/${encodeURIComponent(sku)}`, { deadline, signal });
    if (response.ok) return price.parse(await response.json());
    await response.body?.cancel();
    if (response.status !== 404) throw new Error(`the price service answered ${response.status}`);
    return null;
  }
}

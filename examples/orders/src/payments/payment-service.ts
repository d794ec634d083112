import { type Clock, Deadline, type HttpTarget } from '@keelson/core';
import { z } from 'zod';

/** What is to be paid. */
export interface Charge {
  readonly orderId: string;
  readonly amountCents: number;
  readonly currency: string;
}

export type PaymentAnswer = 'paid' | 'declined';

const answer = z.object({ status: z.enum(['paid', 'declined']) });

/** How long an answer may take, retries included, and then the rest of it. The target may have shorter limits. */
const answerMs = 10_000;
const bodyMs = 12_000;

/** Charges orders, at another service. */
export class PaymentService {
  readonly #service: HttpTarget;
  readonly #clock: Clock;

  constructor(service: HttpTarget, clock: Clock) {
    this.#service = service;
    this.#clock = clock;
  }

  /**
   * Charges an order once, however often it is called: the id of the order is its idempotency key, so the payment service
   * answers a repetition with its first answer. This also lets the HTTP client send the POST again.
   *
   * @throws when the outcome is unknown: no answer, or one that is neither yes nor no. The money may have been taken.
   */
  async charge({ orderId, amountCents, currency }: Charge, signal: AbortSignal): Promise<PaymentAnswer> {
    const response = await this.#service.fetch('/payments', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'Idempotency-Key': orderId },
      body: JSON.stringify({ orderId, amountCents, currency }),
      deadline: Deadline.after(answerMs, this.#clock),
      signal: AbortSignal.any([signal, AbortSignal.timeout(bodyMs)]),
    });
    if (response.ok) return answer.parse(await response.json()).status;
    await response.body?.cancel();
    throw new Error(`the payment service answered ${response.status}`);
  }
}

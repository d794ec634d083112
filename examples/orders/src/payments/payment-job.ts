import type { Clock, HealthResult, Logger, Timer } from '@keelson/core';
import type { DuePayment, DuePayments } from './due-payments.js';
import type { PaymentService } from './payment-service.js';

export interface PaymentJobParts {
  readonly due: Pick<DuePayments, 'take' | 'settle' | 'stillUnknown' | 'postpone'>;
  readonly payments: Pick<PaymentService, 'charge'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly currency: string;
  /** Pause between two looks at the table, in ms, up to half of it shorter or longer at random. */
  readonly everyMs: number;
  /** How long a payment belongs to the instance that took it, in ms: longer than the payment service may take. */
  readonly leaseMs: number;
  readonly random?: () => number;
}

/** Payments that are asked for side by side. */
const atOnce = 10;
/** Payments without an answer that are counted. */
const mostUnanswered = 1_000;
/** The longest pause before an unknown payment is asked for again, in ms. It begins with `everyMs` and doubles each time. */
const longestPauseMs = 300_000;

/**
 * Settles the payments that are due: right after an order was placed (`wake`), and now and then for what is left over from
 * a failure. It holds no transaction while it waits for the payment service.
 */
export class PaymentJob {
  readonly #parts: PaymentJobParts;
  readonly #stop = new AbortController();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #isStopped = false;
  /** Of the last look. */
  #failure: string | undefined;
  /** Orders whose payment service gave no answer to this instance, and whose payment is not settled since. */
  #unanswered = new Set<string>();
  /** Since the start. */
  #settled = 0;

  constructor(parts: PaymentJobParts) {
    this.#parts = parts;
  }

  start(): void {
    this.wake();
  }

  /** Looks at the table now, or again when it is looking. */
  wake(): void {
    this.#isWanted = true;
    if (this.#isStopped || this.#running !== undefined) return;
    this.#timer?.cancel();
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#isWanted) this.wake();
      else this.#plan();
    });
  }

  /**
   * Takes no further payment and resolves when those that it has taken are settled. When `signal` aborts it gives them up:
   * another instance settles them after their lease.
   */
  async stop(signal: AbortSignal): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    const giveUp = () => this.#stop.abort(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    await this.#running;
    signal.removeEventListener('abort', giveUp);
  }

  /** How the last look at the table went. */
  health(): HealthResult {
    if (this.#failure !== undefined) return { status: 'warn', output: this.#failure };
    const unanswered = this.#unanswered.size;
    if (unanswered === 0) return { status: 'pass' };
    const output = `Payments without an answer: ${unanswered}. The payment service is asked again.`;
    return { status: 'warn', output, facts: { unanswered } };
  }

  /** For `keelson status`. */
  get facts() {
    return { settled: this.#settled, unanswered: this.#unanswered.size };
  }

  #plan(): void {
    if (this.#isStopped) return;
    const { clock, everyMs, random = Math.random } = this.#parts;
    // At other moments than the other instances, which may have started with this one.
    this.#timer = clock.schedule(everyMs * (0.5 + random()), () => this.wake());
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isWanted = false;
    try {
      for (let taken = await this.#take(); taken.length > 0; taken = await this.#take()) {
        await Promise.all(taken.map(payment => this.#settle(payment)));
      }
      await this.#forgetSettled();
      this.#failure = undefined;
    } catch (error) {
      if (this.#isStopped) return;
      this.#failure = 'The payments could not be checked; the log has the reason.';
      this.#parts.logger.warn('payments were not settled', { error });
    }
  }

  async #forgetSettled(): Promise<void> {
    if (this.#unanswered.size === 0 || this.#isStopped) return;
    this.#unanswered = new Set(await this.#parts.due.stillUnknown([...this.#unanswered]));
  }

  async #take(): Promise<readonly DuePayment[]> {
    if (this.#isStopped) return [];
    const { due, clock, leaseMs } = this.#parts;
    const now = clock.date();
    return due.take(now, new Date(now.getTime() + leaseMs), atOnce);
  }

  /** Never rejects: without an answer, the payment is looked at again later. */
  async #settle({ orderId, amountCents, attempt }: DuePayment): Promise<void> {
    const { due, payments, currency, logger } = this.#parts;
    const asked = amountCents === 0 ? 'paid' : payments.charge({ orderId, amountCents, currency }, this.#stop.signal);
    try {
      const answer = await asked;
      await due.settle(orderId, answer);
      this.#settled += 1;
      this.#unanswered.delete(orderId);
      logger.info('payment settled', { orderId, answer, attempt });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (this.#unanswered.size < mostUnanswered) this.#unanswered.add(orderId);
      logger.warn('payment unknown', { orderId, attempt, error });
      await due.postpone(orderId, this.#nextLook(attempt)).catch(failure => {
        // Its lease ends all the same.
        logger.warn('payment not postponed', { orderId, error: failure });
      });
    }
  }

  #nextLook(attempt: number): Date {
    const { clock, everyMs, random = Math.random } = this.#parts;
    const pauseMs = Math.min(everyMs * 2 ** (attempt - 1), longestPauseMs) * (0.5 + random() / 2);
    return new Date(clock.date().getTime() + pauseMs);
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger, Telemetry } from '@keelson/core';
import type {
  ChannelEvent,
  ChannelHandler,
  GapReason,
  InvalidMessage,
  PayloadSchema,
  Subscription,
} from './listen-options.js';

export interface ChannelSubscriptionParts {
  readonly channel: string;
  readonly handler: ChannelHandler<unknown>;
  readonly schema: PayloadSchema<unknown> | undefined;
  readonly onInvalid: ((message: InvalidMessage) => unknown) | undefined;
  readonly maxQueued: number;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly notes: SubscriptionNotes;
  /** Runs work in the context of no caller: an embedded server delivers in that of the session that has committed. */
  readonly detached: <T>(work: () => T) => T;
  /** Called once. */
  readonly onClose: () => void;
}

/** What is counted. */
export interface SubscriptionNotes {
  gap(reason: GapReason): void;
  invalid(): void;
  failed(): void;
}

type Waiting = { readonly text: string } | { readonly gap: GapReason };

/** Which handler the running code is part of: one that closes its own subscription does not wait for itself. */
const handling = new AsyncLocalStorage<ChannelSubscription>();

/** Calls one handler with the events of one channel, one after the other. What waits is bounded. */
export class ChannelSubscription implements Subscription {
  readonly #parts: ChannelSubscriptionParts;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #state: 'open' | 'paused' | 'closed' = 'open';
  /** The server has confirmed its channel once. */
  #hasBegun = false;

  constructor(parts: ChannelSubscriptionParts) {
    this.#parts = parts;
  }

  get channel(): string {
    return this.#parts.channel;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** The server listens to its channel from now on. */
  begin(): void {
    const reason = this.#hasBegun ? 'reconnected' : 'started';
    this.#hasBegun = true;
    this.#add({ gap: reason });
  }

  message(text: string): void {
    this.#add({ text });
  }

  /** Nothing is delivered until `resume`, and what waits is dropped. Resolves when the handler has returned. */
  async pause(): Promise<void> {
    if (this.#state === 'open') this.#state = 'paused';
    this.#waiting = [];
    await this.#running;
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'open';
    if (this.#hasBegun) this.#add({ gap: 'resumed' });
  }

  async close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      this.#waiting = [];
      this.#parts.onClose();
    }
    if (handling.getStore() !== this) await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #add(event: Waiting): void {
    if (this.#state !== 'open') return;
    if ('gap' in event) this.#parts.notes.gap(event.gap);
    if (this.#waiting.length >= this.#parts.maxQueued) this.#overflow();
    else this.#waiting.push(event);
    this.#running ??= this.#parts.detached(() => this.#run());
  }

  /** One gap stands for all that is dropped: its handler looks for itself. */
  #overflow(): void {
    const { logger, channel, notes } = this.#parts;
    logger.warn('notifications dropped', { channel, dropped: this.#waiting.length + 1 });
    notes.gap('overflow');
    this.#waiting = [{ gap: 'overflow' }];
  }

  async #run(): Promise<void> {
    // The caller that adds an event never runs the handler.
    await undefined;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#handle(next);
    this.#running = undefined;
  }

  /** Never rejects. */
  async #handle(waiting: Waiting): Promise<void> {
    const { channel, telemetry, logger, notes } = this.#parts;
    const attributes = { 'db.service': 'DatabaseService', 'messaging.destination.name': channel };
    const span = { name: 'database.notification', operation: 'db', attributes };
    try {
      await telemetry.span(span, () => handling.run(this, () => this.#deliver(waiting)));
    } catch (error) {
      notes.failed();
      logger.error('the handler of a channel failed', { channel, error });
      telemetry.captureError(error, { operation: span.name, facts: { channel } });
    }
  }

  async #deliver(waiting: Waiting): Promise<void> {
    const { channel, handler, schema } = this.#parts;
    if ('gap' in waiting) await handler({ is: 'gap', channel, reason: waiting.gap });
    else if (schema === undefined) await handler(messageOf(channel, waiting.text));
    else await this.#deliverChecked(waiting.text, schema);
  }

  async #deliverChecked(text: string, schema: PayloadSchema<unknown>): Promise<void> {
    const { channel, handler } = this.#parts;
    const json = parsed(text);
    const verdict = 'issues' in json ? json : await schema['~standard'].validate(json.value);
    // The handler may have been closed while the schema was asked.
    if (this.#state === 'closed') return;
    if (verdict.issues === undefined) await handler(messageOf(channel, verdict.value));
    else await this.#invalid({ channel, text, issues: verdict.issues });
  }

  async #invalid(message: InvalidMessage): Promise<void> {
    const { channel, logger, notes, onInvalid } = this.#parts;
    notes.invalid();
    if (onInvalid !== undefined) await onInvalid(message);
    else logger.warn('notification not valid', { channel, bytes: Buffer.byteLength(message.text) });
  }
}

function messageOf(channel: string, payload: unknown): ChannelEvent<unknown> {
  return { is: 'message', channel, payload };
}

function parsed(text: string): { readonly value: unknown } | { readonly issues: readonly { message: string }[] } {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { issues: [{ message: 'The payload is not JSON.' }] };
  }
}

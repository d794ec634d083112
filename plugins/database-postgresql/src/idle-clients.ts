import type { Clock, Timer } from '@keelson/core';

export interface IdleClientsOptions<Client> {
  readonly clock: Clock;
  /** An idle client is closed after this, in ms; 0 for never. */
  readonly timeoutMs: number;
  /** There are more clients than the pool keeps. */
  readonly mayClose: () => boolean;
  readonly close: (client: Client) => void;
}

interface Idle<Client> {
  readonly client: Client;
  readonly since: number;
}

/**
 * The clients that no caller has. The one that was returned last is lent first, so that those that are not needed stay
 * idle until their time is over. One timer watches over all of them.
 */
export class IdleClients<Client> {
  readonly #options: IdleClientsOptions<Client>;
  /** The one that has been idle for longest is the first. */
  #idle: Idle<Client>[] = [];
  #timer: Timer | undefined;

  constructor(options: IdleClientsOptions<Client>) {
    this.#options = options;
  }

  get count(): number {
    return this.#idle.length;
  }

  take(): Client | undefined {
    return this.#idle.pop()?.client;
  }

  takeAll(): readonly Client[] {
    const all = this.#idle;
    this.#idle = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    return all.map(({ client }) => client);
  }

  put(client: Client): void {
    const { clock, timeoutMs } = this.#options;
    this.#idle.push({ client, since: clock.now() });
    if (this.#timer === undefined && timeoutMs > 0) this.#schedule(timeoutMs);
  }

  /** False when it is not here. */
  remove(client: Client): boolean {
    const others = this.#idle.filter(idle => idle.client !== client);
    const isHere = others.length < this.#idle.length;
    this.#idle = others;
    return isHere;
  }

  #schedule(ms: number): void {
    this.#timer = this.#options.clock.schedule(ms, () => {
      this.#timer = undefined;
      this.#closeOverdue();
    });
  }

  #closeOverdue(): void {
    const { clock, timeoutMs, mayClose, close } = this.#options;
    const now = clock.now();
    const isOverdue = ({ since }: Idle<Client>) => since + timeoutMs <= now;
    let first = this.#idle[0];
    for (; first !== undefined && isOverdue(first) && mayClose(); first = this.#idle[0]) {
      this.#idle.shift();
      close(first.client);
    }
    if (first !== undefined && !isOverdue(first)) this.#schedule(first.since + timeoutMs - now);
  }
}

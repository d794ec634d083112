import type { Clock, Logger, Telemetry } from '@keelson/core';
import type { ChannelMessage, DatabaseDriver, DriverListener } from '../driver/driver.js';
import { faultFacts } from '../errors/connection-error.js';
import { ProofOfLife, unanswered } from './proof-of-life.js';

export interface ListeningConnectionParts {
  readonly open: NonNullable<DatabaseDriver['openListener']>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly checkIntervalMs: number;
  readonly checkTimeoutMs: number;
  readonly random?: () => number;
  /** All channels that are wanted when a connection has been opened. */
  readonly channels: () => readonly string[];
  readonly onMessage: (message: ChannelMessage) => void;
  /** The server has confirmed these channels. */
  readonly onConfirmed: (channels: readonly string[]) => void;
  /** What was confirmed is not any more. */
  readonly onLost: () => void;
  /** An attempt has failed; more follow. */
  readonly onFailed: (cause: unknown) => void;
}

export type ListeningState =
  | { readonly is: 'closed'; readonly since: Date }
  | { readonly is: 'connecting'; readonly since: Date; readonly cause: unknown }
  | { readonly is: 'listening'; readonly since: Date };

interface Current {
  readonly listener: DriverListener;
  readonly life: ProofOfLife;
  readonly lose: (cause: unknown) => void;
  /** What the server was not asked for yet, by channel. */
  readonly wanted: Map<string, 'listen' | 'unlisten'>;
  isAsking: boolean;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;

/** One connection that is kept open while it is wanted: opened again when it is lost, with all channels. */
export class ListeningConnection {
  readonly #parts: ListeningConnectionParts;
  #state: ListeningState;
  #current: Current | undefined;
  #stop: AbortController | undefined;

  constructor(parts: ListeningConnectionParts) {
    this.#parts = parts;
    this.#state = { is: 'closed', since: parts.clock.date() };
  }

  get state(): ListeningState {
    return this.#state;
  }

  /** Opens it, unless it is open or being opened. */
  start(): void {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#move({ is: 'connecting', since: this.#parts.clock.date(), cause: undefined });
    void this.#keep(stop.signal);
  }

  stop(): void {
    this.#stop?.abort(new Error('nothing is listened to any more'));
    this.#stop = undefined;
    this.#current?.lose(undefined);
    this.#current = undefined;
    if (this.#state.is !== 'closed') this.#move({ is: 'closed', since: this.#parts.clock.date() });
  }

  /** Asks for one more channel on the open connection; one that is being opened asks for all. */
  add(channel: string): void {
    this.#want(channel, 'listen');
  }

  remove(channel: string): void {
    this.#want(channel, 'unlisten');
  }

  /** Something speaks against the server. */
  doubt(): void {
    this.#current?.life.ask();
  }

  #want(channel: string, what: 'listen' | 'unlisten'): void {
    const current = this.#current;
    if (current === undefined) return;
    current.wanted.set(channel, what);
    if (!current.isAsking) void this.#ask(current).catch(current.lose);
  }

  /** All that came while the server was asked goes together. */
  async #ask(current: Current): Promise<void> {
    const { listener, wanted } = current;
    current.isAsking = true;
    while (wanted.size > 0) {
      const channels = (what: string) => [...wanted].filter(([, each]) => each === what).map(([channel]) => channel);
      const [ended, begun] = [channels('unlisten'), channels('listen')];
      wanted.clear();
      if (ended.length > 0) await this.#inTime(signal => listener.unlisten(ended, signal));
      if (begun.length > 0) await this.#confirm(listener, begun);
    }
    current.isAsking = false;
  }

  async #keep(stopped: AbortSignal): Promise<void> {
    const { clock, logger, random = Math.random, onFailed } = this.#parts;
    for (let pauseMs = firstPauseMs; !stopped.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const cause = await this.#serve(stopped);
      if (stopped.aborted) return;
      if (this.#state.is === 'listening') {
        pauseMs = firstPauseMs;
        logger.warn('listening interrupted', faultFacts(cause));
      }
      const since = this.#state.is === 'connecting' ? this.#state.since : clock.date();
      this.#move({ is: 'connecting', since, cause });
      onFailed(cause);
      await clock.sleep(random() * pauseMs, stopped).catch(() => {});
    }
  }

  /** Resolves with the reason when the connection has ended, or could not be opened. */
  async #serve(stopped: AbortSignal): Promise<unknown> {
    const { clock, logger, open, channels, onMessage, onLost } = this.#parts;
    const { promise: lost, resolve: lose } = Promise.withResolvers<unknown>();
    let life: ProofOfLife | undefined;
    let listener: DriverListener | undefined;
    try {
      const heard = (message: ChannelMessage) => {
        life?.heard();
        onMessage(message);
      };
      listener = await open({ signal: stopped, onMessage: heard, onLost: lose });
      stopped.throwIfAborted();
      life = this.#watch(listener, lose);
      const current: Current = { listener, life, lose, wanted: new Map(), isAsking: true };
      this.#current = current;
      const lostFirst = lost.then(cause => Promise.reject(cause));
      await Promise.race([this.#confirm(listener, channels()), lostFirst]);
      stopped.throwIfAborted();
      this.#move({ is: 'listening', since: clock.date() });
      void this.#ask(current).catch(lose);
      logger.info('listening', { channels: channels().length });
      return await lost;
    } catch (cause) {
      return cause;
    } finally {
      if (this.#current?.listener === listener) this.#current = undefined;
      life?.[Symbol.dispose]();
      listener?.close();
      if (!stopped.aborted) onLost();
    }
  }

  #watch(listener: DriverListener, lose: (cause: unknown) => void): ProofOfLife {
    const { clock, telemetry, checkIntervalMs, checkTimeoutMs } = this.#parts;
    const prove = (signal: AbortSignal) => telemetry.suppress(() => listener.prove(signal));
    return new ProofOfLife({ clock, checkIntervalMs, checkTimeoutMs, prove, onFailed: lose });
  }

  /** @throws why the server has not confirmed. */
  async #confirm(listener: DriverListener, channels: readonly string[]): Promise<void> {
    await this.#inTime(signal => listener.listen(channels, signal));
    if (this.#current?.listener === listener) this.#parts.onConfirmed(channels);
  }

  async #inTime(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, checkTimeoutMs } = this.#parts;
    const controller = new AbortController();
    const timer = clock.schedule(checkTimeoutMs, () => controller.abort(unanswered()));
    try {
      await work(controller.signal);
    } finally {
      timer.cancel();
    }
  }

  /** The only place where the state changes. */
  #move(to: ListeningState): void {
    this.#state = to;
  }
}

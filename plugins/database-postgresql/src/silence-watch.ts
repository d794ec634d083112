import type { Clock, Timer } from '@keelson/core';
import type { PgClient } from './pg-internals.js';
import type { BackendActivity, Look } from './server-activity.js';

/** A connection on loan, as far as it waits for its server. */
export interface Waiting {
  readonly client: PgClient;
  readonly openedAt: number;
  /** When the statement that runs was sent, in ms; undefined while none runs. */
  readonly waitingSince: number | undefined;
  /** Breaks the connection: the server does not work on what was sent. */
  lose(): void;
}

export interface SilenceWatchOptions {
  readonly clock: Clock;
  /** After this long without a byte of an answer the server is asked about it, in ms. */
  readonly silentAfterMs: number;
  readonly lent: () => Iterable<Waiting>;
  readonly look: Look;
}

/** What is remembered of a statement that waits. */
interface Silence {
  readonly since: number;
  bytesRead: number;
  heardAt: number;
  /** The next look at it, and how long after this one. */
  nextAt: number;
  pauseMs: number;
  /** The last look found that the server does not work on it. */
  suspected: boolean;
}

/**
 * Finds statements whose packets were lost. TCP repeats what was lost, but not for a flow that a firewall or a load
 * balancer has forgotten: then the client waits for an answer that nobody writes, until its deadline.
 *
 * Costs a request that is answered in time nothing: one timer serves all connections of a pool, and runs while one is lent.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  readonly #silences = new WeakMap<Waiting, Silence>();
  #timer: Timer | undefined;
  #looking = false;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  /** A connection was lent. */
  begin(): void {
    this.#timer ??= this.#options.clock.schedule(this.#options.silentAfterMs / 3, () => this.#tick());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tick(): void {
    this.#timer = undefined;
    const [...lent] = this.#options.lent();
    if (lent.length === 0) return;
    this.begin();
    const now = this.#options.clock.now();
    const silent = lent.filter(waiting => this.#isDue(waiting, now));
    if (silent.length === 0 || this.#looking) return;
    this.#looking = true;
    void this.#lookAt(silent).finally(() => {
      this.#looking = false;
    });
  }

  /** Silent for so long that the server is to be asked, for the first time or again. */
  #isDue(waiting: Waiting, now: number): boolean {
    const { waitingSince: since, client } = waiting;
    if (since === undefined) return false;
    const { bytesRead } = client.connection.stream;
    const { silentAfterMs } = this.#options;
    const known = this.#silences.get(waiting);
    if (known?.since !== since) {
      const nextAt = since + silentAfterMs;
      this.#silences.set(waiting, {
        since,
        bytesRead,
        heardAt: since,
        nextAt,
        pauseMs: silentAfterMs,
        suspected: false,
      });
      return now >= nextAt;
    }
    if (known.bytesRead !== bytesRead) {
      Object.assign(known, { bytesRead, heardAt: now, nextAt: now + silentAfterMs, suspected: false });
      return false;
    }
    return now >= known.nextAt;
  }

  /** Of one server at a time; those on others are due again at the next tick. */
  async #lookAt([first, ...others]: readonly Waiting[]): Promise<void> {
    if (first === undefined) return;
    const { host, port } = first.client;
    const here = [first, ...others.filter(({ client }) => client.host === host && client.port === port)];
    const before = new Map(here.map(waiting => [waiting, this.#silences.get(waiting)]));
    await this.#options.look(
      here.map(({ client }) => client),
      async (activities, end) => {
        for (const waiting of here) {
          const silence = before.get(waiting);
          if (silence === undefined || !this.#stillSilent(waiting, silence)) continue;
          const activity = activities.get(waiting.client);
          if (this.#isLost(silence, activity)) {
            waiting.lose();
            await end(waiting.client, this.#options.clock.now() - waiting.openedAt);
          }
        }
      },
    );
  }

  #stillSilent({ waitingSince, client }: Waiting, { since, bytesRead }: Silence): boolean {
    return waitingSince === since && client.connection.stream.bytesRead === bytesRead;
  }

  /** Only what two looks in a row have found is lost: an answer may be on its way at the first. */
  #isLost(silence: Silence, activity: BackendActivity | undefined): boolean {
    const now = this.#options.clock.now();
    if (activity === 'works') {
      silence.suspected = false;
      silence.pauseMs = Math.min(silence.pauseMs * 2, longestPauseMs);
      silence.nextAt = now + silence.pauseMs;
      return false;
    }
    const lost = silence.suspected && activity !== undefined;
    silence.suspected = activity !== undefined;
    return lost;
  }
}

const longestPauseMs = 60_000;

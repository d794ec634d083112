import type { Clock } from '@keelson/core';
import type { PgClient } from './pg-internals.js';

/** What the server says of the backend of a connection that has been silent. `doing` names its present rest or work. */
export type BackendReport =
  | { readonly is: 'working' }
  | { readonly is: 'waiting'; readonly state: string; readonly doing: string }
  | { readonly is: 'gone' }
  /** The server could not be asked, or it is not certain that it speaks of this backend. */
  | { readonly is: 'unknown' };

export interface SilenceWatchParts {
  readonly silentAfterMs: number;
  readonly clock: Clock;
  /** One question about all of them. A client without a report is unknown. */
  readonly look: (clients: readonly PgClient[]) => Promise<ReadonlyMap<PgClient, BackendReport>>;
  /** The statement in flight, or its answer, does not arrive any more. */
  readonly onLost: (client: PgClient, lost: LostStatement) => void;
}

export interface LostStatement {
  readonly silentMs: number;
  /** `idle`, `idle in transaction`, or `gone`. */
  readonly backend: string;
}

/** A connection that waits for the server. */
export interface InFlight {
  readonly client: PgClient;
  readonly sentAt: number;
  readonly writtenBefore: number;
  bytesRead: number;
  quietSince: number;
  /** What the backend waited with at the last look; `working` proves that there is one. */
  seen: string | undefined;
}

/** The slowest line that a statement is sent over without being suspected: 64 bytes in a millisecond. */
const slowestBytesPerMs = 64;

/**
 * Finds statements that got lost on the way while the connection stayed open. All connections share one timer, which
 * runs only while any of them waits; the server is asked only about those that have been silent for `silentAfterMs`.
 * Lost is a statement whose backend waits for one, in the same state at two looks in a row.
 */
export class SilenceWatch {
  readonly #parts: SilenceWatchParts;
  readonly #everyMs: number;
  /** Of each connection. Undefined for one that waits no more: entries that come and go cost more than ones that stay. */
  readonly #waiting = new Map<PgClient, InFlight | undefined>();
  #isRunning = false;

  constructor(parts: SilenceWatchParts) {
    this.#parts = parts;
    this.#everyMs = Math.ceil(parts.silentAfterMs / 3);
  }

  /** To be called before the statement is written to the socket, or with what had been written by then. */
  begin(client: PgClient, writtenBefore = client.connection.stream.bytesWritten): InFlight {
    const { stream } = client.connection;
    const now = this.#parts.clock.now();
    const inFlight: InFlight = {
      client,
      sentAt: now,
      writtenBefore,
      bytesRead: stream.bytesRead,
      quietSince: now,
      seen: undefined,
    };
    this.#waiting.set(client, inFlight);
    if (!this.#isRunning) this.#schedule();
    return inFlight;
  }

  end(inFlight: InFlight): void {
    if (this.#isWaiting(inFlight)) this.#waiting.set(inFlight.client, undefined);
  }

  #isWaiting(inFlight: InFlight): boolean {
    return this.#waiting.get(inFlight.client) === inFlight;
  }

  #schedule(): void {
    this.#isRunning = true;
    this.#parts.clock.schedule(this.#everyMs, () => void this.#check());
  }

  async #check(): Promise<void> {
    const silent = this.#inFlight().filter(inFlight => this.#isSilent(inFlight));
    if (silent.length > 0) await this.#lookAt(silent);
    if (this.#inFlight().length > 0) this.#schedule();
    else this.#isRunning = false;
  }

  /** Those that wait; forgets connections that are closed. */
  #inFlight(): readonly InFlight[] {
    for (const [client, inFlight] of this.#waiting)
      if (inFlight === undefined && client.connection.stream.destroyed) this.#waiting.delete(client);
    return [...this.#waiting.values()].filter(inFlight => inFlight !== undefined);
  }

  #isSilent(inFlight: InFlight): boolean {
    const { client, writtenBefore, quietSince } = inFlight;
    const { bytesRead, bytesWritten } = client.connection.stream;
    const now = this.#parts.clock.now();
    if (bytesRead !== inFlight.bytesRead) {
      Object.assign(inFlight, { bytesRead, quietSince: now, seen: undefined });
      return false;
    }
    const sendingMs = (bytesWritten - writtenBefore) / slowestBytesPerMs;
    return now - quietSince >= this.#parts.silentAfterMs + sendingMs;
  }

  async #lookAt(silent: readonly InFlight[]): Promise<void> {
    const reports = await this.#parts.look(silent.map(({ client }) => client)).catch(() => undefined);
    if (reports === undefined) return;
    for (const inFlight of silent) {
      const isStill = this.#isWaiting(inFlight) && this.#isSilent(inFlight);
      if (isStill) this.#judge(inFlight, reports.get(inFlight.client) ?? { is: 'unknown' });
    }
  }

  #judge(inFlight: InFlight, report: BackendReport): void {
    const { seen } = inFlight;
    switch (report.is) {
      case 'working':
        Object.assign(inFlight, { seen: 'working', quietSince: this.#parts.clock.now() });
        return;
      case 'unknown':
        Object.assign(inFlight, { seen: undefined, quietSince: this.#parts.clock.now() });
        return;
      case 'waiting':
        if (seen === report.doing) this.#lose(inFlight, report.state);
        else inFlight.seen = report.doing;
        return;
      case 'gone':
        // Behind one address there may be several servers: only a backend that was seen there can be gone from there.
        if (seen !== undefined) this.#lose(inFlight, 'gone');
        else inFlight.quietSince = this.#parts.clock.now();
    }
  }

  #lose(inFlight: InFlight, backend: string): void {
    this.end(inFlight);
    const silentMs = Math.round(this.#parts.clock.now() - inFlight.sentAt);
    this.#parts.onLost(inFlight.client, { silentMs, backend });
  }
}

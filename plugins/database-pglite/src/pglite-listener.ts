import type { DriverListener, OpenListenerOptions } from '@keelson/database';
import { batchOf, type PgliteEngine } from './pglite-engine.js';

export interface PgliteListenerParts extends OpenListenerOptions {
  readonly engine: PgliteEngine;
  /** Runs `work` while no session has the one connection. */
  readonly exclusively: (work: () => Promise<void>, signal: AbortSignal) => Promise<void>;
}

/** Receives the messages of channels on the one connection of PGlite. */
export class PgliteListener implements DriverListener {
  readonly #parts: PgliteListenerParts;
  readonly #channels = new Set<string>();
  readonly #stopReceiving: () => void;

  constructor(parts: PgliteListenerParts) {
    this.#parts = parts;
    this.#stopReceiving = parts.engine.onNotification((channel, payload) => parts.onMessage({ channel, payload }));
  }

  async listen(channels: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#parts.exclusively(() => this.#run('listen', channels), signal);
    for (const channel of channels) this.#channels.add(channel);
  }

  async unlisten(channels: readonly string[], signal: AbortSignal): Promise<void> {
    for (const channel of channels) this.#channels.delete(channel);
    await this.#parts.exclusively(() => this.#run('unlisten', channels), signal);
  }

  /** PGlite runs in this process; its driver reports a crash. */
  async prove(): Promise<void> {}

  /** `discard all` has ended what the connection listened to. */
  async restore(): Promise<void> {
    await this.#run('listen', [...this.#channels]);
  }

  lose(cause: unknown): void {
    this.close();
    this.#parts.onLost(cause);
  }

  close(): void {
    this.#stopReceiving();
    this.#channels.clear();
  }

  async #run(command: 'listen' | 'unlisten', channels: readonly string[]): Promise<void> {
    if (channels.length === 0) return;
    const statements = channels.map(channel => ({ sql: `${command} "${channel.replaceAll('"', '""')}"` }));
    const { failure } = await this.#parts.engine.run(batchOf(statements));
    if (failure !== undefined) throw failure.error;
  }
}

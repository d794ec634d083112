import type { DriverListener, OpenListenerOptions, Statement } from '@keelson/database';
import pg, { type CustomTypesConfig } from 'pg';
import { unlessAborted } from './control-connection.js';
import { asPgClient, type PgClient } from './pg-internals.js';
import { isReadOnlyServer, isStandby } from './reported-parameters.js';
import { StatementBatch } from './statement-batch.js';

export interface ListeningClientParts extends OpenListenerOptions {
  readonly newClient: () => pg.Client;
  readonly types: CustomTypesConfig;
  /** The settings of the role say that its sessions are read-only: then that says nothing of the server. */
  readonly isRoleReadOnly: () => boolean;
}

/** A connection outside of the pool that receives the messages of channels. */
export class ListeningClient implements DriverListener {
  readonly #client: PgClient;
  readonly #parts: ListeningClientParts;
  /** One question after the other. */
  #asking: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  private constructor(client: PgClient, parts: ListeningClientParts) {
    this.#client = client;
    this.#parts = parts;
    client.on('notification', ({ channel, payload = '' }) => {
      if (!this.#isClosed) parts.onMessage({ channel, payload });
    });
    client.on('error', error => this.lose(error));
    client.on('end', () => this.lose(new Error('Connection terminated')));
  }

  /** @throws the error of pg, or the reason of `signal`. */
  static async open(parts: ListeningClientParts): Promise<ListeningClient> {
    const client = asPgClient(parts.newClient());
    const listening = new ListeningClient(client, parts);
    try {
      await unlessAborted(client.connect(), parts.signal);
      return listening;
    } catch (error) {
      listening.close();
      throw error;
    }
  }

  listen(channels: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#run('listen', channels, signal);
  }

  unlisten(channels: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#run('unlisten', channels, signal);
  }

  async prove(signal: AbortSignal): Promise<void> {
    await this.#send([{ sql: 'select 1' }], signal);
    const isReadOnly = this.#parts.isRoleReadOnly() ? isStandby(this.#client) : isReadOnlyServer(this.#client);
    if (isReadOnly) throw Object.assign(new Error('the server has become read-only'), { code: 'ECONNABORTED' });
  }

  /** It is not to be used any more; its owner opens another one. */
  lose(cause: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#client.connection.stream.destroy();
    this.#parts.onLost(cause);
  }

  close(): void {
    this.#isClosed = true;
    this.#client.connection.stream.destroy();
  }

  #run(command: 'listen' | 'unlisten', channels: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#send(
      channels.map(channel => ({ sql: `${command} ${pg.escapeIdentifier(channel)}` })),
      signal,
    );
  }

  #send(statements: readonly Statement[], signal: AbortSignal): Promise<void> {
    const answer = this.#asking.then(() => this.#ask(statements));
    this.#asking = answer.catch(() => {});
    return unlessAborted(answer, signal);
  }

  #ask(statements: readonly Statement[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const settle = ({ failure }: { readonly failure?: { readonly error: unknown } }) => {
        if (failure === undefined) resolve();
        else reject(failure.error);
      };
      this.#client.query(new StatementBatch(statements, { types: this.#parts.types, settle }));
    });
  }
}

import pg from 'pg';
import type { Target } from './host-list.js';
import type { Host, Hosts } from './hosts.js';
import { asPgClient } from './pg-internals.js';
import { readableValues, watchParameters } from './reported-parameters.js';
import { type ServerRole, watchRole } from './server-role.js';

/** Opens a connection to `host` only to ask what it is. Aborting `closing` ends that at once. */
export async function probeHost(config: pg.ClientConfig, host: Host, closing: AbortSignal): Promise<ServerRole> {
  const client = new pg.Client(config);
  client.on('error', ignore);
  const role = watchRole(client);
  try {
    await connectTo(client, host, closing, () => client.connect());
    return await role();
  } finally {
    void client.end().catch(() => {});
  }
}

async function connectTo(
  client: pg.Client,
  { host, port }: Host,
  closing: AbortSignal,
  connect: () => Promise<unknown>,
): Promise<void> {
  closing.throwIfAborted();
  client.host = host;
  client.port = port;
  const giveUp = () => asPgClient(client).connection.stream.destroy();
  closing.addEventListener('abort', giveUp, { once: true });
  try {
    await connect();
  } catch (error) {
    throw withCode(error);
  } finally {
    closing.removeEventListener('abort', giveUp);
  }
}

/** What pg 8.23 says in a sentence only, with a code that identifies it. */
const sentences: readonly (readonly [beginsWith: string, code: string])[] = [
  ['timeout expired', 'ETIMEDOUT'],
  ['The server does not support SSL connections', 'TLS_NOT_SPOKEN'],
  ['There was an error establishing an SSL connection', 'TLS_ANSWER_UNKNOWN'],
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be', 'PASSWORD_MISSING'],
];

function withCode(error: unknown): unknown {
  if (!(error instanceof Error) || 'code' in error) return error;
  const [, code] = sentences.find(([beginsWith]) => error.message.startsWith(beginsWith)) ?? [];
  return code === undefined ? error : Object.assign(new Error('no connection came about', { cause: error }), { code });
}

/** A client of pg that finds out where to connect to when it connects, for those who make clients of a class. */
export function hostClientClass(
  config: pg.ClientConfig,
  hosts: Hosts,
  target: Target,
  closing: AbortSignal,
): new (
  given?: pg.ClientConfig,
) => pg.Client {
  return class HostClient extends pg.Client {
    readonly #role = target === 'any' ? undefined : watchRole(this);

    constructor() {
      super(config);
      watchParameters(this);
      // pg.Pool listens a turn later; an 'error' without a listener would end the process, and the next statement tells.
      this.on('error', ignore);
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      const connected = this.#connect();
      if (callback === undefined) return connected;
      // pg.Pool takes a call with an error for a failure.
      const settled = callback as (error?: unknown) => void;
      connected.then(() => settled(), settled);
      return undefined;
    }

    async #connect(): Promise<pg.Client> {
      const host = await hosts.wanted();
      try {
        await connectTo(this, host, closing, () => super.connect());
      } catch (error) {
        throw hosts.failed(host, error);
      }
      await this.#orEnd(() => readableValues(this));
      if (this.#role !== undefined) await this.#beApproved(host, this.#role);
      return this;
    }

    async #beApproved(host: Host, role: () => Promise<ServerRole>): Promise<void> {
      await this.#orEnd(async () => hosts.approve(host, await role()));
    }

    async #orEnd(step: () => Promise<void>): Promise<void> {
      try {
        await step();
      } catch (error) {
        void this.end().catch(ignore);
        throw error;
      }
    }
  };
}

function ignore(): void {}

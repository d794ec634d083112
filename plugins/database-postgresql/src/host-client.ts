import type { Clock } from '@keelson/core';
import { connectFailureOf } from '@keelson/database';
import pg from 'pg';
import type { ClientSettings } from './client-settings.js';
import { type Host, isSocket } from './host.js';
import { HostFailure, type Hosts } from './hosts.js';
import { type LoginAttempt, LoginChanged, type Logins } from './logins.js';
import { asPgClient, leave, logInAs, speakPlainly } from './pg-internals.js';
import { watchPoolerWords } from './pooler-words.js';
import { readableValues, watchParameters } from './reported-parameters.js';
import { type RoleSource, type ServerRole, watchRole } from './server-role.js';
import { checkSocket } from './unix-socket.js';

/** How connections to one place are opened. */
export interface Door {
  /** With what a client is made now. */
  readonly settings: () => ClientSettings;
  readonly logins: Logins;
  readonly roles: RoleSource;
  /** Is called when a connection for work was opened, with the time it took. */
  readonly onOpened?: ((durationMs: number) => void) | undefined;
  readonly clock: Pick<Clock, 'now'>;
  /** Aborting it ends the opening of a connection at once. */
  readonly closing: AbortSignal;
}

/** What the connection is for, behind the name of the application. */
export type Purpose = '' | ' control' | ' listen' | ' probe';

/** Opens a connection to `host` only to ask what it is. */
export function probeHost(door: Door, host: Host): Promise<ServerRole> {
  return door.logins.reach(() => probe(door, host));
}

async function probe(door: Door, host: Host): Promise<ServerRole> {
  const { config } = door.settings();
  const attempt = await door.logins.next();
  const client = new pg.Client(named(config, ' probe'));
  client.on('error', ignore);
  watchPoolerWords(client);
  const role = watchRole(client, door.roles);
  try {
    await connectTo(client, { door, host, attempt, config }, () => client.connect());
    return await role();
  } finally {
    leave(client);
  }
}

interface Opening {
  readonly door: Door;
  readonly host: Host;
  readonly attempt: LoginAttempt;
  /** What the client was made with. */
  readonly config: pg.ClientConfig;
}

async function connectTo(client: pg.Client, opening: Opening, connect: () => Promise<unknown>): Promise<void> {
  const { host, port } = opening.host;
  const { closing, logins } = opening.door;
  closing.throwIfAborted();
  client.host = host;
  client.port = port;
  if (isSocket(host)) {
    checkSocket({ host, port });
    speakPlainly(asPgClient(client));
  }
  logInAs(asPgClient(client), opening.attempt.login);
  const giveUp = () => asPgClient(client).connection.stream.destroy();
  closing.addEventListener('abort', giveUp, { once: true });
  try {
    await connect();
    logins.accepted(opening.attempt);
  } catch (error) {
    // pg waits for the server to close it: when that is lost on the way, the socket would stay open and keep the process alive.
    giveUp();
    throw await judged(withCode(error), opening);
  } finally {
    closing.removeEventListener('abort', giveUp);
  }
}

/** A `LoginChanged` when the connection was refused for something that is another now. */
async function judged(error: unknown, { door, attempt, config }: Opening): Promise<unknown> {
  const kind = connectFailureOf(error)?.kind ?? '';
  const isOfLogin = loginFailures.has(kind);
  if (!isOfLogin && !kind.startsWith('tls-')) return error;
  if (door.settings().config !== config) return new LoginChanged(error);
  return isOfLogin ? door.logins.refused(attempt, error) : error;
}

const loginFailures = new Set(['password', 'password-missing', 'role-missing', 'hba', 'tls-client-certificate']);

function named(config: pg.ClientConfig, purpose: Purpose): pg.ClientConfig {
  return purpose === '' ? config : { ...config, application_name: `${config.application_name}${purpose}` };
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
  door: Door,
  hosts: Hosts,
  purpose: Purpose = '',
): new (
  given?: pg.ClientConfig,
) => pg.Client {
  return class HostClient extends pg.Client {
    readonly #config: pg.ClientConfig;
    readonly #role = hosts.target === 'any' ? undefined : watchRole(this, door.roles);

    constructor() {
      const { config } = door.settings();
      super(named(config, purpose));
      this.#config = config;
      watchParameters(this);
      watchPoolerWords(this);
      // pg.Pool listens a turn later; an 'error' without a listener would end the process, and the next statement reports it.
      this.on('error', ignore);
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      const connected = purpose === '' && door.onOpened !== undefined ? this.#measured(door.onOpened) : this.#connect();
      if (callback === undefined) return connected;
      // pg.Pool takes a call with an error for a failure.
      const settled = callback as (error?: unknown) => void;
      connected.then(() => settled(), settled);
      return undefined;
    }

    async #measured(onOpened: (durationMs: number) => void): Promise<pg.Client> {
      const startedAt = door.clock.now();
      const connected = await this.#connect();
      onOpened(door.clock.now() - startedAt);
      return connected;
    }

    async #connect(): Promise<pg.Client> {
      const attempt = await door.logins.next();
      const host = await hosts.wanted();
      try {
        await connectTo(this, { door, host, attempt, config: this.#config }, () => super.connect());
      } catch (error) {
        throw hosts.failed(host, error);
      }
      if (!hosts.all.includes(host)) this.#leave(new HostFailure(host, undefined));
      await this.#orEnd(() => readableValues(this));
      if (this.#role !== undefined) await this.#beApproved(host, this.#role);
      return this;
    }

    /** The hosts are others now. */
    #leave(why: HostFailure): never {
      leave(this);
      throw why;
    }

    async #beApproved(host: Host, role: () => Promise<ServerRole>): Promise<void> {
      await this.#orEnd(async () => hosts.approve(host, await role()));
    }

    async #orEnd(step: () => Promise<void>): Promise<void> {
      try {
        await step();
      } catch (error) {
        leave(this);
        throw error;
      }
    }
  };
}

function ignore(): void {}

import { type ServiceControl, summarizeError } from '@keelson/core';
import type { InstanceStatus } from '@keelson/core/control';
import type { InstanceEntry } from '../model.js';
import type { ConsoleOptions } from '../options.js';
import { consoleUrlIn } from '../watch/read-facts.js';
import { unreachable } from './errors.js';
import { pageHeader } from './guard.js';

/** The console of another instance. */
interface Peer {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly token: string | undefined;
}

interface Known {
  readonly entry: InstanceEntry;
  readonly peer: Peer | undefined;
}

/** An answer of another console, as it came. */
export interface PeerAnswer {
  readonly status: number;
  readonly json: string;
}

const lookAgainMs = 3_000;
const peerTimeoutMs = 3_000;
const changeTimeoutMs = 35_000;
const longestAnswer = 8_000_000;

/** This instance, the others of this user on this machine, and those of the configuration. Looks when a page asks. */
export class InstanceDirectory {
  readonly #service: ServiceControl;
  readonly #options: ConsoleOptions;
  readonly #now: () => number;
  #known: Promise<readonly Known[]> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(service: ServiceControl, options: ConsoleOptions, now: () => number) {
    this.#service = service;
    this.#options = options;
    this.#now = now;
  }

  /** This one alone. It asks no other: two that name each other would wait for each other. */
  async self(): Promise<InstanceEntry> {
    return (await this.#self()).entry;
  }

  async list(): Promise<InstanceEntry[]> {
    return (await this.#look()).map(({ entry }) => entry);
  }

  /**
   * Asks the console of another instance: `path` is `/api/live?after=3`. With a body it changes something.
   *
   * @throws KeelsonError CONSOLE_INSTANCE_UNREACHABLE.
   */
  async ask(id: string, path: string, body?: string): Promise<PeerAnswer> {
    const known = (await this.#look()).find(({ entry }) => entry.id === id);
    if (known === undefined) throw unreachable('this instance', 'it is not known, or has ended');
    if (known.peer === undefined) throw unreachable(known.entry.name, known.entry.problem ?? 'it has no console');
    return send(known.peer, path, body);
  }

  #look(): Promise<readonly Known[]> {
    const now = this.#now();
    if (this.#known === undefined || now - this.#lookedAt > lookAgainMs) {
      this.#lookedAt = now;
      this.#known = this.#find();
    }
    return this.#known;
  }

  async #find(): Promise<Known[]> {
    const [own, near, far] = await Promise.all([
      this.#self(),
      this.#options.sameMachine ? this.#onThisMachine() : [],
      Promise.all(this.#options.instances.map((given, index) => this.#configured(given, index))),
    ]);
    return [own, ...near, ...far];
  }

  async #self(): Promise<Known> {
    const status = await this.#service.status();
    return {
      entry: { id: 'self', name: `${status.service} (this one)`, ...about({ ...status, pid: process.pid }) },
      peer: undefined,
    };
  }

  async #onThisMachine(): Promise<Known[]> {
    const { identity } = this.#service;
    if (identity === undefined) return [];
    const { findInstances } = await import('@keelson/core/control');
    try {
      const { found, inOtherEnvironments, others } = await findInstances(identity, identity.directory);
      const foreign = [...found, ...inOtherEnvironments, ...others].filter(({ pid }) => pid !== process.pid);
      return await Promise.all(foreign.map(({ pid, status }) => this.#near(pid, status)));
    } catch {
      // A folder that is not safe: `keelson status` says so.
      return [];
    }
  }

  async #near(pid: number, ask: () => Promise<InstanceStatus>): Promise<Known> {
    const id = `pid-${pid}`;
    try {
      const status = await ask();
      const url = consoleUrlIn(status.plugins);
      const name = status.service;
      const entry = { id, name, ...about(status) };
      if (url === undefined) return { entry: { ...entry, problem: 'it has no console' }, peer: undefined };
      return { entry, peer: { id, name, url, token: this.#options.token } };
    } catch (error) {
      return { entry: { id, name: 'no answer', pid, problem: summarizeError(error).message }, peer: undefined };
    }
  }

  async #configured(given: ConsoleOptions['instances'][number], index: number): Promise<Known> {
    const id = `url-${index}`;
    const url = given.url.replace(/\/+$/, '');
    const name = given.name ?? new URL(url).host;
    const peer = { id, name, url, token: given.token ?? this.#options.token };
    try {
      const { status, json } = await send(peer, '/api/instances?instance=self');
      const [own] = status === 200 ? (JSON.parse(json) as { instances: InstanceEntry[] }).instances : [];
      if (own === undefined) return { entry: { id, name, problem: refusalIn(status, json) }, peer: undefined };
      return { entry: { ...own, id, name }, peer };
    } catch (error) {
      return { entry: { id, name, problem: summarizeError(error).message }, peer: undefined };
    }
  }
}

function about(status: Pick<InstanceStatus, 'service' | 'environment' | 'pid' | 'phase' | 'readiness'>) {
  const { service, environment, pid, phase, readiness } = status;
  return { service, ...(environment !== undefined && { environment }), pid, phase, readiness: readiness.status };
}

function refusalIn(status: number, json: string): string {
  if (status === 401) return 'the token given here is not its token';
  try {
    const { message } = JSON.parse(json) as { message?: unknown };
    return typeof message === 'string' ? message : `it answered with ${status}`;
  } catch {
    return `it answered with ${status}`;
  }
}

async function send({ name, url, token }: Peer, path: string, body?: string): Promise<PeerAnswer> {
  try {
    const response = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      // A redirect would take the token elsewhere.
      redirect: 'error',
      signal: AbortSignal.timeout(body === undefined ? peerTimeoutMs : changeTimeoutMs),
      headers: {
        [pageHeader]: '1',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    });
    const json = await response.text();
    if (!/^application\/json/.test(response.headers.get('content-type') ?? '') || json.length > longestAnswer) {
      throw unreachable(name, 'its answer is not that of a console');
    }
    return { status: response.status, json };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'CONSOLE_INSTANCE_UNREACHABLE') throw error;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw unreachable(name, summarizeError(cause).message, error);
  }
}

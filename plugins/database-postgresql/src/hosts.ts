import { type Clock, isKeelsonError, type Logger, type Timer } from '@keelson/core';
import { ConnectionError, connectFailureOf, severityOf, sqlStateOf, systemCodeOf } from '@keelson/database';
import { type Host, nameOf } from './host.js';
import type { Target } from './host-list.js';
import { describeRole, type ServerRole, suits } from './server-role.js';

export interface HostsParts {
  /** In the order in which they are tried; at least one. */
  readonly hosts: readonly Host[];
  readonly target: Target;
  /** Connects, says what the server is, and disconnects. Ends by itself in bounded time. */
  readonly probe: (host: Host) => Promise<ServerRole>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Another host than before is the wanted one now. */
  readonly onMoved: () => void;
}

type State =
  | { readonly is: 'unknown' }
  | { readonly is: 'known'; readonly host: Host }
  | { readonly is: 'looking'; readonly found: Promise<Host> }
  | { readonly is: 'failed'; readonly error: unknown; readonly until: number };

/** A host that does not answer is not waited for longer before the next is asked too. */
const headStartMs = 500;
/** Pause after a search that found no host, before the next one starts. */
const pauseMs = 200;

/** Knows which of several hosts is the wanted one, from the last look until something speaks against it. */
export class Hosts {
  #parts: HostsParts;
  #state: State;
  #last: Host | undefined;
  #isLostTold = false;

  constructor(parts: HostsParts) {
    this.#parts = parts;
    this.#state = beginning(parts.hosts);
  }

  get target(): Target {
    return this.#parts.target;
  }

  get all(): readonly Host[] {
    return this.#parts.hosts;
  }

  /** From now on these; connections that are open are left to the caller. */
  change(to: Pick<HostsParts, 'hosts' | 'target'>): void {
    this.#parts = { ...this.#parts, ...to };
    this.#state = beginning(to.hosts);
    this.#last = undefined;
    this.#isLostTold = false;
  }

  /** The host last found, for people; undefined before the first look. */
  get current(): Host | undefined {
    return this.#state.is === 'known' ? this.#state.host : this.#last;
  }

  get isFound(): boolean {
    return this.#state.is === 'known';
  }

  /** Where a new connection goes. No round trip once it is known; callers share a look. */
  wanted(): Promise<Host> {
    const state = this.#state;
    if (state.is === 'known') return Promise.resolve(state.host);
    if (state.is === 'looking') return state.found;
    if (state.is === 'failed' && this.#parts.clock.now() < state.until) return Promise.reject(state.error);
    const found = this.#look(this.#parts.hosts);
    this.#state = { is: 'looking', found };
    return found;
  }

  /** Something speaks against the host that was known: the next to ask looks again. */
  doubt(): void {
    if (this.#state.is === 'known' && this.#parts.hosts.length > 1) this.#state = { is: 'unknown' };
  }

  /** What the last look failed for is no longer so: the next one does not wait. */
  lookAgain(): void {
    if (this.#state.is === 'failed') this.#state = { is: 'unknown' };
  }

  /** A connection to `host` was opened: may it be used? @throws HostFailure when it may not. */
  approve(host: Host, role: ServerRole): void {
    if (!suits(role, this.#parts.target)) throw this.failed(host, role);
    if (this.#state.is === 'known' && this.#state.host !== host) throw new HostFailure(host, undefined);
  }

  /** What to throw after a connection to `host` failed, or found the wrong role there. */
  failed(host: Host, why: unknown): unknown {
    if (this.#parts.hosts.length === 1) return isRole(why) ? this.#noneSuits([[host, why]]) : why;
    if (!isRole(why) && !speaksAgainstHost(why)) return why;
    this.doubt();
    return new HostFailure(host, isRole(why) ? undefined : why);
  }

  /** Runs `work`, and once more when the host it went to turned out not to be the wanted one any more. */
  async reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HostFailure)) throw error;
      return work();
    }
  }

  /** A look at hosts that have been changed meanwhile leaves the state alone. */
  async #look(hosts: readonly Host[]): Promise<Host> {
    try {
      const host = await this.#find();
      if (hosts !== this.#parts.hosts) return this.wanted();
      this.#state = { is: 'known', host };
      this.#tellFound(host);
      return host;
    } catch (error) {
      if (hosts !== this.#parts.hosts) return this.wanted();
      this.#state = { is: 'failed', error, until: this.#parts.clock.now() + pauseMs };
      this.#tellLost();
      throw error;
    }
  }

  async #find(): Promise<Host> {
    const { target } = this.#parts;
    if (target !== 'prefer-standby') return this.#first(target);
    return this.#first('standby').catch(() => this.#first('any'));
  }

  /** Asks in order; the next as soon as one is unsuitable, and before that when one takes its time. */
  #first(target: Target): Promise<Host> {
    const { hosts, probe, clock } = this.#parts;
    return new Promise((resolve, reject) => {
      const findings: [Host, unknown][] = [];
      const waiting = [...hosts];
      let headStart: Timer | undefined;
      const unsuitable = (host: Host, why: unknown) => {
        findings.push([host, why]);
        if (!isRole(why) && !speaksAgainstHost(why)) done(() => reject(why));
        else if (findings.length === hosts.length)
          done(() => reject(this.#allSame(findings) ?? this.#noneSuits(findings)));
        else next();
      };
      const next = () => {
        headStart?.cancel();
        const host = waiting.shift();
        if (host === undefined) return;
        headStart = clock.schedule(headStartMs, next, { keepAlive: true });
        probe(host).then(
          role => (suits(role, target) ? done(() => resolve(host)) : unsuitable(host, role)),
          error => unsuitable(host, error),
        );
      };
      const done = (settle: () => void) => {
        waiting.length = 0;
        headStart?.cancel();
        settle();
      };
      next();
    });
  }

  /** Reports a permanent failure of all hosts as that failure. */
  #allSame(findings: readonly (readonly [Host, unknown])[]): unknown {
    const isFinal = ([, why]: readonly [Host, unknown]) => connectFailureOf(why)?.final === true;
    return findings.every(isFinal) ? findings[0]?.[1] : undefined;
  }

  #noneSuits(findings: readonly (readonly [Host, unknown])[]): ConnectionError {
    const { target } = this.#parts;
    const said = findings.map(([host, why]) => `${nameOf(host)} ${isRole(why) ? describeRole(why) : refusal(why)}`);
    const [systemCode] = findings.flatMap(([, why]) => systemCodeOf(why) ?? []);
    const [sqlState] = findings.flatMap(([, why]) => sqlStateOf(why) ?? []);
    return new ConnectionError({
      code: 'DATABASE_CONNECT_FAILED',
      message: `${target === 'any' ? 'No host answers' : `No host is ${target}`}: ${said.join(', ')}.`,
      hint: 'Check the database servers; a standby takes over only after its promotion.',
      facts: {
        target,
        hosts: findings.map(([host], index) => ({ host: nameOf(host), said: said[index] })),
        ...(systemCode !== undefined && { systemCode }),
        ...(sqlState !== undefined && { sqlState }),
      },
    });
  }

  #tellFound(host: Host): void {
    const before = this.#last;
    this.#last = host;
    this.#isLostTold = false;
    if (before === undefined || before === host) return;
    this.#parts.logger.warn('failover', { from: nameOf(before), to: nameOf(host) });
    this.#parts.onMoved();
  }

  #tellLost(): void {
    if (this.#last === undefined || this.#isLostTold) return;
    this.#isLostTold = true;
    this.#parts.logger.error('host lost', { host: nameOf(this.#last) });
  }
}

/** The host that was known is not, or no longer, the wanted one; another look may find it. */
export class HostFailure extends Error {
  /** Of its cause, so that it is judged as its cause is. */
  readonly code: string | undefined;
  readonly severity: string | undefined;
  /** Of a socket that could not be connected to. */
  readonly address: unknown;
  readonly syscall = 'connect';

  constructor(host: Host, cause: unknown) {
    super(`${nameOf(host)} is not the wanted server`, { cause });
    this.name = 'HostFailure';
    this.code = sqlStateOf(cause) ?? systemCodeOf(cause) ?? 'ECONNABORTED';
    this.severity = severityOf(cause);
    this.address = Reflect.get(Object(cause), 'address');
  }
}

/** One alone is not looked for. */
function beginning(hosts: readonly Host[]): State {
  const [only] = hosts;
  return hosts.length === 1 && only !== undefined ? { is: 'known', host: only } : { is: 'unknown' };
}

/** A server that is full, or refuses the user, answers: another one is not asked (libpq does the same). */
function speaksAgainstHost(error: unknown): boolean {
  if (isKeelsonError(error)) return false;
  const state = sqlStateOf(error);
  return state === undefined || state.startsWith('57P') || state.startsWith('08');
}

function refusal(error: unknown): string {
  const failure = connectFailureOf(error);
  if (failure?.final === true) return `${failure.says} (${failure.code})`;
  const code = sqlStateOf(error) ?? systemCodeOf(error);
  return code === undefined ? 'does not answer' : `accepts no connections (${code})`;
}

function isRole(value: unknown): value is ServerRole {
  return typeof value === 'object' && value !== null && 'standby' in value && 'readOnly' in value;
}

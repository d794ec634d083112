import type { Clock, Timer } from '../contract/clock.js';
import type { Inspection } from '../contract/inspection.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import type { Credential, Credentials } from '../contract/slots/credentials.js';
import type { HealthResult } from '../contract/slots/health.js';
import type { Logger } from '../contract/slots/logger.js';
import type { Metrics } from '../contract/slots/metrics.js';
import { addSecret } from '../secrets/known-secrets.js';
import { invalidCredential, noCredential } from './credential-errors.js';
import { CredentialMetrics } from './credential-metrics.js';
import { firstPauseMs, nextPauseMs, refreshInMs } from './refresh-times.js';

export interface CredentialKeeperParts {
  /** Obtains the credential that is in force now, in bounded time. Called once at a time. */
  readonly obtain: (signal: AbortSignal) => Promise<Credential>;
  /** The source may have another one than was last obtained; must be cheap. Default: this is not known. */
  readonly isChanged?: () => boolean;
  /** Longest age of a credential that does not say when it expires, in milliseconds. Default: any. */
  readonly refreshMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** What metrics call it: `credentials`, `credentials/reporting`. */
  readonly key: string;
  readonly random?: () => number;
}

interface Held {
  readonly credential: Credential;
  readonly obtainedAt: Date;
}

/** Of the last attempt to obtain one. */
interface Failure {
  readonly error: unknown;
  readonly pauseMs: number;
  /** The source is not asked again before. */
  readonly until: number;
}

/**
 * The credentials of one source. Obtains the next one ahead of expiry, at another time in each instance of a service; asks
 * the source once at a time; keeps a credential that is valid while the source fails.
 */
export class CredentialKeeper implements Credentials {
  readonly #parts: CredentialKeeperParts;
  readonly #metrics: CredentialMetrics;
  readonly #closing = new AbortController();
  #held: Held | undefined;
  #failure: Failure | undefined;
  #obtaining: Promise<Credential> | undefined;
  /** When the source was last asked about a refused credential, and had no other. */
  #noOtherAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(parts: CredentialKeeperParts) {
    this.#parts = parts;
    this.#metrics = new CredentialMetrics(parts.metrics, parts.key, () => this.#remainingMs());
  }

  async current(): Promise<Credential> {
    const held = this.#valid();
    if (held === undefined) return this.#obtain();
    if (this.#parts.isChanged?.() !== true || this.#pauses()) return held;
    return this.#obtain().catch(() => this.#valid() ?? held);
  }

  async renewed(refused: Credential): Promise<Credential> {
    const held = this.#valid();
    if (held === undefined) return this.#obtain();
    if (!isSame(held, refused)) return held;
    if (this.#pauses() || this.#isTooEarlyToAsk()) return held;
    const next = await this.#obtain().catch(() => held);
    if (isSame(next, refused)) this.#noOtherAt = this.#parts.clock.now();
    return next;
  }

  /** `warn` while the source fails and the last credential is still valid, `fail` when there is none. */
  async health(): Promise<HealthResult> {
    await this.current().catch(() => undefined);
    const facts = this.#facts();
    const code = this.#failureCode();
    if (this.#valid() === undefined) {
      return { status: 'fail', output: `There is no valid credential (${code}).`, facts };
    }
    if (this.#failure === undefined) return { status: 'pass', facts };
    return { status: 'warn', output: `The credential could not be renewed (${code}).`, facts };
  }

  /** What an operator sees of it. */
  inspect(): Inspection {
    const facts = this.#facts();
    if (this.#held === undefined || this.#failure !== undefined) {
      const expires = this.#valid() === undefined ? 'expired' : 'expires';
      const previous =
        facts.expiresAt === undefined ? '' : ` The previous credential ${expires} at ${facts.expiresAt}.`;
      const output = `The last attempt to obtain a credential failed (${this.#failureCode()}).${previous}`;
      const hint = 'Check the source of the credentials. The service asks it again by itself.';
      return { facts, findings: [{ name: 'credential', status: 'warn', output, hint }] };
    }
    const until = facts.expiresAt === undefined ? '' : `, valid until ${facts.expiresAt}`;
    const output = `Obtained at ${this.#held.obtainedAt.toISOString()}${until}.`;
    return { facts, findings: [{ name: 'credential', status: 'pass', output }] };
  }

  close(): void {
    this.#timer?.cancel();
    this.#metrics.close();
    this.#closing.abort(new Error('the credentials are closed'));
  }

  #obtain(): Promise<Credential> {
    if (this.#failure !== undefined && this.#pauses()) return Promise.reject(noCredential(this.#failure.error));
    this.#obtaining ??= this.#ask().finally(() => {
      this.#obtaining = undefined;
    });
    return this.#obtaining;
  }

  async #ask(): Promise<Credential> {
    const { clock, logger, obtain } = this.#parts;
    try {
      const credential = await obtain(this.#closing.signal);
      addSecret(credential.password);
      this.#closing.signal.throwIfAborted();
      if (isExpired(credential, clock)) throw invalidCredential('it has expired');
      this.#take(credential);
      return credential;
    } catch (error) {
      if (this.#closing.signal.aborted) throw noCredential(error);
      const pauseMs = nextPauseMs(this.#failure?.pauseMs);
      this.#failure = { error, pauseMs, until: clock.now() + pauseMs };
      this.#metrics.refreshed('failure');
      logger.warn('credential not renewed', { code: this.#failureCode(), isValid: this.#valid() !== undefined });
      this.#refreshIn(pauseMs);
      throw noCredential(error);
    }
  }

  #take(credential: Credential): void {
    const { clock, logger, refreshMs, random = Math.random } = this.#parts;
    const before = this.#held?.credential;
    this.#held = { credential, obtainedAt: clock.date() };
    this.#failure = undefined;
    this.#metrics.refreshed('success');
    if (before !== undefined && !isSame(before, credential)) {
      logger.info('credential renewed', { expiresAt: credential.expiresAt?.toISOString() });
    }
    const inMs = refreshInMs({ expiresInMs: this.#remainingMs(), refreshMs, random });
    if (inMs !== undefined) this.#refreshIn(inMs);
  }

  #refreshIn(ms: number): void {
    this.#timer?.cancel();
    if (this.#closing.signal.aborted) return;
    this.#timer = this.#parts.clock.schedule(ms, () => void this.#obtain().catch(() => undefined));
  }

  #facts(): { readonly user?: string; readonly obtainedAt?: string; readonly expiresAt?: string } {
    if (this.#held === undefined) return {};
    const { credential, obtainedAt } = this.#held;
    const { user, expiresAt } = credential;
    return {
      ...(user !== undefined && { user }),
      obtainedAt: obtainedAt.toISOString(),
      ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
    };
  }

  #isTooEarlyToAsk(): boolean {
    const { clock, isChanged } = this.#parts;
    return clock.now() - this.#noOtherAt < firstPauseMs && isChanged?.() !== true;
  }

  #pauses(): boolean {
    return this.#failure !== undefined && this.#parts.clock.now() < this.#failure.until;
  }

  #valid(): Credential | undefined {
    const credential = this.#held?.credential;
    return credential === undefined || isExpired(credential, this.#parts.clock) ? undefined : credential;
  }

  #remainingMs(): number | undefined {
    const expiresAt = this.#held?.credential.expiresAt;
    return expiresAt && expiresAt.getTime() - this.#parts.clock.date().getTime();
  }

  #failureCode(): string {
    const error = this.#failure?.error;
    return isKeelsonError(error) ? error.code : 'no further reason given';
  }
}

function isExpired({ expiresAt }: Credential, clock: Clock): boolean {
  return expiresAt !== undefined && expiresAt <= clock.date();
}

function isSame(one: Credential, other: Credential): boolean {
  return one.user === other.user && one.password === other.password;
}

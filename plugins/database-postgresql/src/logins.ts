import type { Clock } from '@keelson/core';
import { severityOf, sqlStateOf, systemCodeOf } from '@keelson/database';
import { isSameLogin, type Login, type LoginSource } from './login.js';

export interface LoginsParts {
  readonly source: LoginSource;
  readonly clock: Clock;
  /** Connections are opened as another user from now on. */
  readonly onOtherUser: () => void;
}

interface Refusal {
  readonly login: Login;
  readonly error: unknown;
  readonly pauseMs: number;
  /** It is not tried before. */
  readonly until: number;
}

/** A refused login is tried again after this; each time after a pause twice as long. Accounts get locked by guessing. */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** A new login that the server does not have yet; the one before, in the moment in which it gets the new one; the new one. */
const mostAttempts = 3;
/** More logins than these are not refused one after the other: an old one, a new one, and a few of a slow rotation. */
const mostRefusals = 4;

/** A login that is being tried. */
export interface LoginAttempt {
  readonly login: Login;
  /** What was known by then. */
  readonly knowledge: number;
}

/** Which login connections to one place are opened with, and what to do when it is refused. */
export class Logins {
  readonly #parts: LoginsParts;
  /** The one that was accepted last. */
  #proven: Login | undefined;
  /** The one that the source had last. */
  #current: Login | undefined;
  #user: string | undefined;
  #refusals: readonly Refusal[] = [];
  /** Grows when the source or the server has changed: what was begun before says nothing of now. */
  #knowledge = 0;

  constructor(parts: LoginsParts) {
    this.#parts = parts;
  }

  /**
   * The login for the next connection. While a new one is refused, the one before it: a password may be in the source
   * before it is on the server.
   *
   * @throws the error of the last refusal, when nothing but the refused login is there and its pause is not over.
   */
  async next(): Promise<LoginAttempt> {
    const current = this.#seen(await this.#parts.source.current());
    const refusal = this.#pausing(current);
    if (refusal === undefined) return this.#as(current);
    if (this.#proven === undefined || this.#pausing(this.#proven) !== undefined) throw refusal.error;
    return this.#as(this.#proven);
  }

  accepted({ login }: LoginAttempt): void {
    if (this.#proven !== undefined && isSameLogin(this.#proven, login)) return;
    this.#knowledge += 1;
    this.#proven = login;
    this.#forgetRefusalOf(login);
  }

  /** Returns what to throw: a `LoginChanged` when there is another login to try. */
  async refused({ login, knowledge }: LoginAttempt, error: unknown): Promise<unknown> {
    if (knowledge !== this.#knowledge) return new LoginChanged(error);
    this.#remember(login, error);
    const { source } = this.#parts;
    const now = this.#seen(await source.renewed(login).catch(() => login));
    const others = [now, this.#proven].filter(other => other !== undefined && this.#pausing(other) === undefined);
    return others.length > 0 ? new LoginChanged(error) : error;
  }

  /** Runs `work`, and again when it failed with a login that is not in force any more. */
  async reach<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof LoginChanged)) throw error;
        if (attempt === mostAttempts) throw error.cause;
      }
    }
  }

  /** One that the source has only now may be good again, whenever it was refused. */
  #seen(login: Login): Login {
    const isOther = this.#current !== undefined && !isSameLogin(this.#current, login);
    this.#current = login;
    if (!isOther) return login;
    this.#knowledge += 1;
    this.#forgetRefusalOf(login);
    return login;
  }

  #forgetRefusalOf(login: Login): void {
    if (this.#refusals.length === 0) return;
    this.#refusals = this.#refusals.filter(refusal => !isSameLogin(refusal.login, login));
  }

  #remember(login: Login, error: unknown): void {
    if (this.#proven !== undefined && isSameLogin(this.#proven, login)) {
      // The server has changed: what it refused before, it may accept now.
      this.#knowledge += 1;
      this.#proven = undefined;
      this.#refusals = [];
    }
    const now = this.#parts.clock.now();
    const last = this.#refusals.find(refusal => isSameLogin(refusal.login, login));
    // Others that were under way at the same time are refused too.
    if (last !== undefined && now < last.until) return;
    const pauseMs = last === undefined ? firstPauseMs : Math.min(last.pauseMs * 2, longestPauseMs);
    const rest = this.#refusals.filter(refusal => refusal !== last).slice(1 - mostRefusals);
    this.#refusals = [...rest, { login, error, pauseMs, until: now + pauseMs }];
  }

  #pausing(login: Login): Refusal | undefined {
    if (this.#refusals.length === 0) return undefined;
    const refusal = this.#refusals.find(({ login: refused }) => isSameLogin(refused, login));
    return refusal !== undefined && this.#parts.clock.now() < refusal.until ? refusal : undefined;
  }

  #as(login: Login): LoginAttempt {
    if (this.#user !== undefined && this.#user !== login.user) this.#parts.onOtherUser();
    this.#user = login.user;
    return { login, knowledge: this.#knowledge };
  }
}

/** A connection was refused, and what it was opened with is not in force any more. */
export class LoginChanged extends Error {
  /** Of its cause, so that it is judged as its cause is. */
  readonly code: string | undefined;
  readonly severity: string | undefined;

  constructor(cause: unknown) {
    super('the login has changed', { cause });
    this.name = 'LoginChanged';
    this.code = sqlStateOf(cause) ?? systemCodeOf(cause);
    this.severity = severityOf(cause);
  }
}

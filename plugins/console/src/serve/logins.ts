import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Proves that a browser or a script has the token. A cookie holds the time until which it is valid, signed with the token:
 * it stays valid when the service restarts, and ends when the token changes. The token itself is never in a cookie.
 */
export class Logins {
  readonly #token: string;
  readonly #lifetimeMs: number;
  /** Digests of one length, for a comparison in constant time. */
  readonly #key = randomBytes(32);

  constructor(token: string, lifetimeMs: number) {
    this.#token = token;
    this.#lifetimeMs = lifetimeMs;
  }

  get lifetimeMs(): number {
    return this.#lifetimeMs;
  }

  isToken(given: string): boolean {
    return timingSafeEqual(this.#digest(given), this.#digest(this.#token));
  }

  /** The value of a cookie that is valid from `now` on, in milliseconds since 1970. */
  cookieAt(now: number): string {
    const until = String(now + this.#lifetimeMs);
    return `${until}.${this.#sign(until)}`;
  }

  isCookie(value: string, now: number): boolean {
    const [until = '', signature = '', ...more] = value.split('.');
    if (more.length > 0 || !/^\d{1,15}$/.test(until)) return false;
    const isSigned = timingSafeEqual(this.#digest(signature), this.#digest(this.#sign(until)));
    return isSigned && Number(until) > now;
  }

  #sign(until: string): string {
    return createHmac('sha256', this.#token).update(`keelson console login until ${until}`).digest('base64url');
  }

  #digest(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

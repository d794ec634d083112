import type { ServiceToken } from '../contract/token.js';

/**
 * Stands in a slot for a plugin that may come and go: who holds it reaches the plugin while it runs, and the silent
 * default otherwise.
 */
export class SwitchableService {
  /** The bound service, which users of the slot keep. */
  readonly service: object;
  /** The token of the slot. */
  readonly token: ServiceToken;
  readonly #silentDefault: object;
  #current: object;

  constructor(silentDefault: object, token: ServiceToken) {
    this.token = token;
    this.#silentDefault = silentDefault;
    this.#current = silentDefault;
    this.service = new Proxy(silentDefault, {
      get: (_target, property) => {
        const current = this.#current;
        const member: unknown = Reflect.get(current, property, current);
        return typeof member === 'function' ? member.bind(current) : member;
      },
      has: (_target, property) => Reflect.has(this.#current, property),
    });
  }

  switchTo(service: object): void {
    this.#current = service;
  }

  switchToDefault(): void {
    this.#current = this.#silentDefault;
  }
}

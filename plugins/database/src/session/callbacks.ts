import type { Logger } from '@keelson/core';

type Callback = () => void | Promise<void>;

/** What the owner of a session wants to be called for at its end. */
export class Callbacks {
  readonly #logger: Logger;
  readonly #name: string;
  readonly #outside: <T>(work: () => T) => T;
  readonly #registered = { onCommit: [] as Callback[], onRollback: [] as Callback[] };

  constructor(logger: Logger, name: string, outside: <T>(work: () => T) => T) {
    this.#logger = logger;
    this.#name = name;
    this.#outside = outside;
  }

  add(when: 'onCommit' | 'onRollback', callback: Callback): void {
    this.#registered[when].push(callback);
  }

  /** One after the other, in no session; an error in one is logged, and changes nothing. */
  async run(when: 'onCommit' | 'onRollback'): Promise<void> {
    for (const callback of this.#registered[when]) {
      try {
        await this.#outside(callback);
      } catch (error) {
        this.#logger.error('a callback of a session failed', { error, session: this.#name });
      }
    }
  }
}

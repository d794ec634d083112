import type { Logger } from '@keelson/core';

type Callback = () => void | Promise<void>;

/** What the owner of a session wants to be called for at its end. */
export class Callbacks {
  readonly #logger: Logger;
  readonly #name: string;
  readonly #registered = { onCommit: [] as Callback[], onRollback: [] as Callback[] };

  constructor(logger: Logger, name: string) {
    this.#logger = logger;
    this.#name = name;
  }

  add(when: 'onCommit' | 'onRollback', callback: Callback): void {
    this.#registered[when].push(callback);
  }

  /** One after the other; an error in one is logged, and changes nothing. */
  async run(when: 'onCommit' | 'onRollback'): Promise<void> {
    for (const callback of this.#registered[when]) {
      try {
        await callback();
      } catch (error) {
        this.#logger.error('a callback of a session failed', { error, session: this.#name });
      }
    }
  }
}

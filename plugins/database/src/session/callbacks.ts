import type { Logger } from '@keelson/core';
import { SessionClosedError } from '../errors/session-errors.js';

type Callback = () => void | Promise<void>;

/** What the owner of a session wants to be called for at its end. */
export class Callbacks {
  readonly #logger: Logger;
  readonly #name: string;
  readonly #outside: <T>(work: () => T) => T;
  readonly #registered: Registered[] = [];
  #isOver = false;

  constructor(logger: Logger, name: string, outside: <T>(work: () => T) => T) {
    this.#logger = logger;
    this.#name = name;
    this.#outside = outside;
  }

  /**
   * `isUndone`: whether a savepoint has taken back the part of the session that the callback is about.
   *
   * @throws SessionClosedError when it would never be called.
   */
  add(when: End, callback: Callback, isUndone: () => boolean): void {
    if (this.#isOver) throw new SessionClosedError();
    this.#registered.push({ when, callback, isUndone });
  }

  /**
   * The session has ended: one after the other, in no session; an error in one is logged, and changes nothing. When it is
   * not known how it ended, none is called.
   */
  async run(end: End | undefined): Promise<void> {
    if (end !== undefined) await this.#callAll(end);
    this.#isOver = true;
  }

  async #callAll(end: End): Promise<void> {
    for (const { when, callback, isUndone } of this.#registered) {
      if (when !== (isUndone() ? 'onRollback' : end)) continue;
      try {
        await this.#outside(callback);
      } catch (error) {
        this.#logger.error('a callback of a session failed', { error, session: this.#name });
      }
    }
  }
}

type End = 'onCommit' | 'onRollback';

interface Registered {
  readonly when: End;
  readonly callback: Callback;
  readonly isUndone: () => boolean;
}

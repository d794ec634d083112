import type { SessionIdentity } from './session-identity.js';

/** A value, or how it is found when it is needed. */
export type KnownLater<T extends object> = T | (() => T | undefined) | undefined;

/** Something that is opened when it is first used, unless its time is over by then. */
export class OnDemand<Session> {
  readonly #open: () => Session;
  readonly #identity: KnownLater<SessionIdentity>;
  #state: State<Session> = { is: 'unused' };

  constructor(open: () => Session, identity?: KnownLater<SessionIdentity>) {
    this.#open = open;
    this.#identity = identity;
  }

  /** The variables and the role that it has or will have. */
  get identity(): SessionIdentity | undefined {
    return typeof this.#identity === 'function' ? this.#identity() : this.#identity;
  }

  /** Undefined until it is first used. */
  get opened(): Session | undefined {
    return this.#state.is === 'open' ? this.#state.session : undefined;
  }

  /** Opens it, unless it is open; undefined while it is being opened, and after `close`. */
  use(): Session | undefined {
    return this.#state.is === 'unused' ? this.#openNow() : this.opened;
  }

  /** From now on it is not opened any more; what is open stays open. */
  close(): void {
    if (this.#state.is === 'unused') this.#state = { is: 'closed' };
  }

  #openNow(): Session {
    this.#state = { is: 'opening' };
    try {
      const session = this.#open();
      this.#state = { is: 'open', session };
      return session;
    } catch (error) {
      this.#state = { is: 'unused' };
      throw error;
    }
  }
}

type State<Session> =
  | { readonly is: 'unused' | 'opening' | 'closed' }
  | { readonly is: 'open'; readonly session: Session };

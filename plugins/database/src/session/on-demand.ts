/** Something that is opened when it is first used, unless its time is over by then. */
export class OnDemand<Session> {
  readonly #open: () => Session;
  #state: State<Session> = { is: 'unused' };

  constructor(open: () => Session) {
    this.#open = open;
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

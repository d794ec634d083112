/** How the service stands to its database. `error` heals by itself; `closed` is final. */
export type DatabaseState =
  | { readonly is: 'disconnected' }
  | { readonly is: 'connecting'; readonly attempt: number }
  | { readonly is: 'connected'; readonly since: Date }
  | { readonly is: 'error'; readonly since: Date; readonly cause: unknown }
  | { readonly is: 'closed' };

type StateName = DatabaseState['is'];

export const databaseStates: readonly StateName[] = ['disconnected', 'connecting', 'connected', 'error', 'closed'];

const allowed: Readonly<Record<StateName, readonly StateName[]>> = {
  disconnected: ['connecting', 'closed'],
  connecting: ['connecting', 'connected', 'disconnected', 'closed'],
  connected: ['error', 'closed'],
  error: ['connected', 'error', 'closed'],
  closed: [],
};

export type StateListener = (now: DatabaseState, before: DatabaseState) => void;

/** The one place where the state moves, and where each move is announced, once. */
export class StateMachine {
  #state: DatabaseState = { is: 'disconnected' };
  readonly #listeners = new Set<StateListener>();

  get current(): DatabaseState {
    return this.#state;
  }

  move(to: DatabaseState): void {
    const from = this.#state;
    if (!allowed[from.is].includes(to.is)) throw new Error(`bug: database cannot go from ${from.is} to ${to.is}`);
    this.#state = to;
    for (const listener of this.#listeners) listener(to, from);
  }

  onChange(listener: StateListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

import { SessionAbortedError, SessionClosedError } from '../errors/session-errors.js';
import type { CurrentSession } from './current-session.js';
import type { SessionOnDemand } from './database-session.js';
import { type KnownLater, OnDemand } from './on-demand.js';
import type { SessionIdentity } from './session-identity.js';
import type { UnitSession } from './unit-session.js';

export interface LateSessionParts {
  /** In log lines before it is opened, too. */
  readonly id: string;
  readonly name: string;
  readonly current: CurrentSession<UnitSession>;
  /** Known before it is opened. */
  readonly identity: KnownLater<SessionIdentity>;
  /** Called once. */
  readonly onClose: () => void;
}

export class LateSession implements SessionOnDemand {
  readonly #parts: LateSessionParts;
  readonly #session: OnDemand<UnitSession>;
  #isClosed = false;

  constructor(parts: LateSessionParts, open: () => UnitSession) {
    this.#parts = parts;
    this.#session = new OnDemand(open, parts.identity);
  }

  get opened(): UnitSession | undefined {
    return this.#session.opened;
  }

  open(): UnitSession {
    const session = this.#session.use();
    if (session === undefined) throw new SessionClosedError();
    return session;
  }

  run<T>(work: () => T): T {
    return this.#parts.current.run(this.#session, work, { sessionId: this.#parts.id });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.close();
    this.#parts.onClose();
  }

  abort(reason: unknown): void {
    this.close();
    this.opened?.abort(new SessionAbortedError({ name: this.#parts.name, reason: 'signal' }, reason));
  }
}

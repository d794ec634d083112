import type { Transaction } from './store.ts';

export type LockMode = keyof typeof conflicts;

/** The modes, and those that each conflicts with (PostgreSQL, manual, 13.3.1). */
const conflicts = {
  'access share': ['access exclusive'],
  'row share': ['exclusive', 'access exclusive'],
  'row exclusive': ['share', 'share row exclusive', 'exclusive', 'access exclusive'],
  'share update exclusive': ['share update exclusive', 'share', 'share row exclusive', 'exclusive', 'access exclusive'],
  share: ['row exclusive', 'share update exclusive', 'share row exclusive', 'exclusive', 'access exclusive'],
  'share row exclusive': [
    'row exclusive',
    'share update exclusive',
    'share',
    'share row exclusive',
    'exclusive',
    'access exclusive',
  ],
  exclusive: [
    'row share',
    'row exclusive',
    'share update exclusive',
    'share',
    'share row exclusive',
    'exclusive',
    'access exclusive',
  ],
  'access exclusive': [
    'access share',
    'row share',
    'row exclusive',
    'share update exclusive',
    'share',
    'share row exclusive',
    'exclusive',
    'access exclusive',
  ],
} satisfies Readonly<Record<string, readonly string[]>>;

export function isLockMode(text: string): text is LockMode {
  return Object.hasOwn(conflicts, text);
}

function isInConflict(mode: LockMode, other: LockMode): boolean {
  const all: readonly string[] = conflicts[mode];
  return all.includes(other);
}

/** Holds locks: one session never waits for itself. */
export interface Session {
  readonly transaction: Transaction | undefined;
}

/** What is asked for. */
export interface LockRequest {
  readonly by: Session;
  readonly name: string;
  readonly mode: LockMode;
  /** Kept until the session unlocks it or ends; otherwise until the end of the transaction. */
  readonly isOfSession: boolean;
}

interface Waiting {
  readonly request: LockRequest;
  readonly admit: () => void;
}

interface Lock {
  readonly held: LockRequest[];
  /** In the order in which they came. */
  readonly waiting: Waiting[];
}

/** One that is not asked for is not kept. */
const free: Lock = { held: [], waiting: [] };

/** Locks of tables and of keys that clients choose (advisory locks). Rows have theirs in the store. */
export class LockTable {
  readonly #locks = new Map<string, Lock>();

  /** False when it has to wait. */
  take(request: LockRequest): boolean {
    if (this.blockers(request).length > 0) return false;
    this.#made(request.name).held.push(request);
    if (!request.isOfSession) request.by.transaction?.locks.push(request);
    return true;
  }

  /** The sessions that it has to wait for: those who hold the lock, and those who came before. */
  blockers(request: LockRequest): readonly Session[] {
    const { held, waiting } = this.#locks.get(request.name) ?? free;
    const isInTheWay = (other: LockRequest) => other.by !== request.by && isInConflict(request.mode, other.mode);
    const holding = held.filter(isInTheWay);
    const isHolder = held.some(({ by }) => by === request.by);
    const before = isHolder ? [] : waiting.slice(0, placeOf(waiting, request)).map(each => each.request);
    return [...holding, ...before.filter(isInTheWay)].map(({ by }) => by);
  }

  /** Stands in line; `admit` is called when it is worth to try again. */
  join(request: LockRequest, admit: () => void): void {
    const { waiting } = this.#made(request.name);
    if (!waiting.some(each => each.request === request)) waiting.push({ request, admit });
  }

  leave(request: LockRequest): void {
    const { waiting } = this.#locks.get(request.name) ?? free;
    const at = waiting.findIndex(each => each.request === request);
    if (at === -1) return;
    waiting.splice(at, 1);
    this.#admit(request.name);
  }

  release(request: LockRequest): void {
    const { held } = this.#locks.get(request.name) ?? free;
    const at = held.indexOf(request);
    if (at === -1) return;
    held.splice(at, 1);
    this.#admit(request.name);
  }

  /** False when the session does not hold it as a session. */
  unlock(by: Session, name: string, mode: LockMode): boolean {
    const { held } = this.#locks.get(name) ?? free;
    const found = held.find(each => each.by === by && each.isOfSession && each.mode === mode);
    if (found === undefined) return false;
    this.release(found);
    return true;
  }

  /** What a session holds beyond its transactions. */
  releaseAllOf(by: Session): void {
    for (const { held } of [...this.#locks.values()])
      for (const each of held.filter(({ by: holder, isOfSession }) => holder === by && isOfSession)) this.release(each);
  }

  isHeld(name: string): boolean {
    return (this.#locks.get(name) ?? free).held.length > 0;
  }

  /** Whether the session holds one whose name begins like this. */
  holds(by: Session, beginning: string): boolean {
    for (const [name, { held }] of this.#locks)
      if (name.startsWith(beginning) && held.some(each => each.by === by)) return true;
    return false;
  }

  /** What is behind this beginning in the names of the locks that the session holds. */
  *heldBy(by: Session, beginning: string): Iterable<string> {
    for (const [name, { held }] of this.#locks)
      if (name.startsWith(beginning) && held.some(each => each.by === by)) yield name.slice(beginning.length);
  }

  #made(name: string): Lock {
    const known = this.#locks.get(name);
    if (known !== undefined) return known;
    const lock: Lock = { held: [], waiting: [] };
    this.#locks.set(name, lock);
    return lock;
  }

  #admit(name: string): void {
    const { held, waiting } = this.#locks.get(name) ?? free;
    if (held.length === 0 && waiting.length === 0) this.#locks.delete(name);
    for (const { admit } of [...waiting]) admit();
  }
}

function placeOf(waiting: readonly Waiting[], request: LockRequest): number {
  const at = waiting.findIndex(each => each.request === request);
  return at === -1 ? waiting.length : at;
}

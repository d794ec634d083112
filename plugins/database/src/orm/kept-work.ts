import { helper } from '@mikro-orm/core';
import { callerPath } from '../errors/code-path.js';
import type { UnitOutcome } from '../transaction/unit-outcome.js';
import type { WorkMark } from '../transaction/work-mark.js';
import type { EntityManager } from './entity-manager.js';
import { Mark } from './marks.js';

/** A hook that still makes work after so many flushes does so without end. */
export const maxFlushes = 100;

/** What was made by code of the service while one flush runs. */
export class Flush {
  /** The first, second, ... of one commit. */
  readonly count: number;
  /** Created or removed; MikroORM forgets them at the end of the flush. */
  readonly noted = new Set<object>();
  readonly orphans = new Set<object>();
  /** Removed while the flush creates them: MikroORM only takes them out of what is not planned yet. */
  readonly unwanted = new Set<object>();
  #changedLate = false;
  #hooked = false;
  #lastMade: { readonly entity: string; readonly at: string | undefined } | undefined;

  constructor(count: number) {
    this.count = count;
  }

  /** An entity or a collection holds something that the flush does not store. */
  get changedLate(): boolean {
    return this.#changedLate;
  }

  /** Code of the service ran inside the flush. */
  get hooked(): boolean {
    return this.#hooked;
  }

  /** The first that was made in the last flush that is allowed. */
  get lastMade(): { readonly entity: string; readonly at: string | undefined } | undefined {
    return this.#lastMade;
  }

  note(entity: object): void {
    this.noted.add(entity);
    if (this.count === maxFlushes) this.#lastMade ??= { entity: helper(entity).__meta.className, at: callerPath() };
  }

  noteLateChange(): void {
    this.#changedLate = true;
  }

  noteHook(): void {
    this.#hooked = true;
  }

  forget(): void {
    this.noted.clear();
    this.orphans.clear();
    this.unwanted.clear();
  }
}

/** What the EntityManagers of one session have in common. */
export interface Session {
  readonly outcome: Pick<UnitOutcome, 'now'>;
}

/** What a unit of work keeps for its next flush. */
export class KeptWork {
  readonly em: EntityManager;
  readonly session: Session;
  /** No other flush follows the next one. */
  isLast = false;
  /** The one that runs. */
  flush: Flush | undefined;
  /** Of what the running flush stores. */
  readonly marks: WorkMark[] = [];
  /** How many savepoints of it are open. */
  parts = 0;
  /** Those that were its own when a part removed them, while parts are open. */
  readonly removed = new Set<object>();
  /** Of a savepoint: the EntityManager that it was begun with. */
  outer: EntityManager | undefined;

  constructor(em: EntityManager, session: Session) {
    this.em = em;
    this.session = session;
  }
}

/** On a unit of work, and on its persister of change sets. */
export const keptWork = new Mark<KeptWork>('keelson.keptWork');

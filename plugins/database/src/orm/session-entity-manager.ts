import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type EntityName,
  type FilterDef,
  type ForkOptions,
  TransactionContext,
  type TransactionOptions,
  TransactionPropagation,
  Utils,
} from '@mikro-orm/core';
import { BasePostgreSqlEntityManager } from '@mikro-orm/sql';
import { IdentityFixedError } from '../errors/identity-errors.js';
import { SecondConnectionError } from '../errors/session-errors.js';
import { translate } from '../errors/translate.js';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import type { UnitOutcome } from '../transaction/unit-outcome.js';
import type { ClearWatch } from './clear-watch.js';
import { type EntityManager, hasNoWork } from './entity-manager.js';
import { assertOwn } from './foreign-entities.js';
import { overrideHidden } from './hidden-method.js';
import { assertKeysIn, assertKeysOf, checkingKeys } from './keyless-entities.js';
import { asPart, keepLateWork, letFlushBeLast, runAsLast } from './late-unit-of-work.js';
import { findByText, type PlainStatement, PlainStatements, updateByText } from './plain-statements.js';
import { transactionOf } from './session-connection.js';
import { notingUpsert } from './undone-flushes.js';

/** What the EntityManagers of one session have in common. */
export interface SessionBond {
  readonly transaction: Pick<LazyTransaction, 'refuseByHand' | 'changes' | 'loseBlock'>;
  readonly outcome: Pick<UnitOutcome, 'move' | 'now'>;
  /** Left out for a read-only session: nothing of it is stored, so nothing is lost. */
  readonly clears?: ClearWatch;
  /** @throws NestedOptionsError when its transaction is not what `asked` says. */
  assertFits(asked: Pick<TransactionOptions, 'isolationLevel' | 'readOnly'>): void;
}

const { REQUIRED, SUPPORTS, MANDATORY, NESTED, REQUIRES_NEW, NOT_SUPPORTED } = TransactionPropagation;
const joins = new Set<string>([REQUIRED, SUPPORTS, MANDATORY]);
const leaves = new Set<string>([REQUIRES_NEW, NOT_SUPPORTED]);

/** Set in a flush and in its hooks, where MikroORM refuses a second flush of the same EntityManager. */
const insideFlush = new AsyncLocalStorage<ReadonlySet<EntityManager>>();

/**
 * An EntityManager whose transactions are those of its session, once it is bound to one; so are those of its forks. A
 * transaction of its own is refused. What joins the session's fails with it, as a session inside a session does.
 *
 * It loses no work: it keeps what is made while a flush runs, and flushes before it begins a savepoint, since the fork of
 * the savepoint takes over what waits.
 *
 * All of this is in methods of the class. Functions made for each session would keep it in memory: V8 lets what hangs on
 * hidden classes survive each young collection.
 */
export class SessionEntityManager extends BasePostgreSqlEntityManager {
  #bond: SessionBond | undefined;
  #plain: PlainStatements | undefined;
  /** A filter was added to this EntityManager, or texts are changed by `onQuery`: any read may be another. */
  #isFiltered = false;
  /** Of a savepoint: the EntityManager of the one around it, which may be another session's. */
  #around: object | undefined;

  bindTo(bond: SessionBond): void {
    this.#bond = bond;
    if (bond.clears !== undefined) keepLateWork(this, bond);
  }

  /** MikroORM builds the text of each statement, of all forks too. */
  keepNoTexts(): void {
    this.#isFiltered = true;
  }

  override fork(options?: ForkOptions): this {
    if (this.#bond !== undefined && options?.session !== undefined) throw new IdentityFixedError({ by: 'em.fork' });
    const fork = super.fork(options);
    fork.#plain = this.plainStatements;
    fork.#isFiltered = this.#isFiltered;
    if (this.#bond !== undefined) {
      fork.bindTo(this.#bond);
      fork.#around = TransactionContext.currentTransactionContext()?.em;
    }
    return fork;
  }

  /** The EntityManager of the savepoint that the calling code runs in, when it is one of this session; else this one. */
  get innermost(): EntityManager {
    let inner: unknown = TransactionContext.currentTransactionContext()?.em;
    while (inner instanceof SessionEntityManager) {
      if (inner.#bond === this.#bond) return inner;
      inner = inner.#around;
    }
    return this;
  }

  override addFilter<T extends EntityName | readonly EntityName[]>(options: Omit<FilterDef<T>, 'rls'>): void {
    this.getContext(false).#isFiltered = true;
    super.addFilter(options);
  }

  override setSessionContext(): never {
    throw new IdentityFixedError({ by: 'em.setSessionContext' });
  }

  override clearSessionContext(): void {
    if (this.getSessionContext() !== undefined) throw new IdentityFixedError({ by: 'em.clearSessionContext' });
  }

  /** The session sends it with its BEGIN. */
  override getTransactionSessionContext(): undefined {
    return undefined;
  }

  /** Those of all forks of one EntityManager. */
  get plainStatements(): PlainStatements {
    this.#plain ??= new PlainStatements();
    return this.#plain;
  }

  /** Undefined when MikroORM has to do it, or to decide whether to read again what is in memory. */
  plainReadOf(entityName: EntityName, where: object): PlainStatement | undefined {
    if (!this.#isPlain || this.getUnitOfWork().tryGetById(entityName, where)) return undefined;
    return this.plainStatements.readOf(this, entityName, where);
  }

  /** Undefined when MikroORM has to do it. */
  plainUpdateOf(entityName: EntityName, where: object, data: object): PlainStatement | undefined {
    return this.#isPlain ? this.plainStatements.updateOf(this, entityName, where, data) : undefined;
  }

  override begin(options?: Omit<TransactionOptions, 'ignoreNestedTransactions'>): Promise<void> {
    return this.#bond === undefined ? super.begin(options) : this.#bond.transaction.refuseByHand('em.begin()');
  }

  override commit(): Promise<void> {
    if (this.#keepsWork) letFlushBeLast(this);
    return super.commit();
  }

  override clear(): void {
    this.#bond?.clears?.look(this);
    super.clear();
  }

  /** @throws SharedEntityError when `entity` belongs to another open session. */
  assertOwn(entity: object): void {
    const em = this.getContext(false);
    if (em.#bond !== undefined) assertOwn(entity, { em, session: em.#bond });
  }

  /** What a flush has stored before it failed is half of it: it is not kept, even when the error is caught. */
  override async flush(): Promise<void> {
    if (this.#bond?.clears === undefined) return super.flush();
    const { transaction } = this.#bond;
    const { changes } = transaction;
    try {
      await insideFlush.run(new Set(insideFlush.getStore()).add(this), () => super.flush());
    } catch (error) {
      if (transaction.changes > changes) transaction.loseBlock(error);
      throw error;
    }
  }

  /** The cache is for everybody; rows that this session has changed may never be stored. */
  override async storeCache(...given: Parameters<BasePostgreSqlEntityManager['storeCache']>): Promise<void> {
    if (this.#bond === undefined || this.#bond.transaction.changes === 0) await super.storeCache(...given);
  }

  override async transactional<T>(work: (em: this) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const { propagation } = options;
    if (this.#bond === undefined || !this.isInTransaction()) return this.#transactional(work, options);
    if (propagation !== undefined && leaves.has(propagation)) throw new SecondConnectionError({ propagation });
    this.#bond.assertFits(options);
    if (propagation === undefined || !joins.has(propagation)) return this.#transactional(work, options);
    try {
      return await this.#transactional(work, options);
    } catch (error) {
      this.#bond.outcome.move({ it: 'lost a part', cause: translate(error) });
      throw error;
    }
  }

  async #transactional<T>(work: (em: this) => T | Promise<T>, options: TransactionOptions): Promise<T> {
    if (!this.#keepsWork) return super.transactional(work, options);
    const isFlushing = insideFlush.getStore()?.has(this) === true;
    const isNested = (options.propagation ?? NESTED) === NESTED && this.isInTransaction();
    if (isNested && !isFlushing && !hasNoWork(this)) await this.flush();
    const run = () => super.transactional(inner => runAsLast(this, inner, work), options);
    return isNested ? asPart(this, isFlushing, run) : run();
  }

  /** Nothing that was set on it changes its statements. */
  get #isPlain(): boolean {
    return !this.#isFiltered && this.schema === undefined && this.signal === undefined;
  }

  get #keepsWork(): boolean {
    return this.#bond?.clears !== undefined;
  }
}

type FindOne = (entityName: EntityName, where: object, options?: object) => Promise<object | null>;
type NativeUpdate = (entityName: EntityName, where: object, data: object, options?: object) => Promise<number>;

// Their own types cannot be repeated in a subclass: TypeScript takes two of the same conditional types for different ones.

overrideHidden(
  SessionEntityManager.prototype,
  'findOne',
  async (em, findOne: FindOne, ...[entityName, where, options = {}]: Parameters<FindOne>) => {
    assertKeysIn(where);
    const transaction = hasOptions(options) ? undefined : transactionOf(em.getTransactionContext());
    const read = transaction && em.plainReadOf(entityName, where);
    if (transaction === undefined || read === undefined) return findOne(entityName, where, options);
    if (read.sql !== undefined) return findByText(em, transaction, read, read.sql);
    return em.plainStatements.learn(read, recording => findOne(entityName, where, recording));
  },
);

overrideHidden(
  SessionEntityManager.prototype,
  'nativeUpdate',
  async (em, nativeUpdate: NativeUpdate, ...[entityName, where, data, options = {}]: Parameters<NativeUpdate>) => {
    assertKeysIn(where);
    assertKeysOf(data);
    const transaction = hasOptions(options) ? undefined : transactionOf(em.getTransactionContext());
    const update = transaction && em.plainUpdateOf(entityName, where, data);
    if (transaction === undefined || update === undefined) return nativeUpdate(entityName, where, data, options);
    if (update.sql !== undefined) return updateByText(em, transaction, update, update.sql);
    return em.plainStatements.learn(update, recording => nativeUpdate(entityName, where, data, recording));
  },
);

/** A filter with `rls` would set variables as well. */
overrideHidden<SessionEntityManager, [], void>(
  SessionEntityManager.prototype,
  'validateSessionContextStaging',
  (em, validate) => {
    if (em.isInTransaction()) throw new IdentityFixedError({ by: 'em.setFilterParams' });
    validate();
  },
);

for (const name of ['upsert', 'upsertMany']) {
  overrideHidden<SessionEntityManager, unknown[], Promise<unknown>>(
    SessionEntityManager.prototype,
    name,
    async (em, upsert, ...given) => {
      const [entity, data = entity] = given;
      const items = Utils.asArray(data).filter(each => typeof each === 'object' && each !== null);
      for (const each of items) {
        if (Utils.isEntity(each)) em.assertOwn(each);
        assertKeysOf(each);
      }
      return notingUpsert(items, em, () => upsert(...given));
    },
  );
}

for (const name of ['find', 'count', 'nativeDelete']) {
  overrideHidden<SessionEntityManager, unknown[], Promise<unknown>>(
    SessionEntityManager.prototype,
    name,
    async (_em, run, ...given) => {
      assertKeysIn(given[1]);
      return run(...given);
    },
  );
}

overrideHidden<SessionEntityManager, unknown[], object>(
  SessionEntityManager.prototype,
  'createQueryBuilder',
  (_em, create, ...given) => checkingKeys(create(...given)),
);

for (const name of ['insert', 'insertMany']) {
  overrideHidden<SessionEntityManager, unknown[], Promise<unknown>>(
    SessionEntityManager.prototype,
    name,
    async (_em, insert, ...given) => {
      const [entity, data = entity] = given;
      for (const each of Utils.asArray(data)) assertKeysOf(each);
      return insert(...given);
    },
  );
}

// A read-only session keeps no work, so its unit of work would not see what is merged.
overrideHidden<SessionEntityManager, unknown[], unknown>(
  SessionEntityManager.prototype,
  'merge',
  (em, merge, ...given) => {
    for (const each of given.slice(0, 2)) if (Utils.isEntity(each)) em.assertOwn(each);
    return merge(...given);
  },
);

// To load it again would drop the changes that the other session is about to store.
overrideHidden<SessionEntityManager, unknown[], unknown>(
  SessionEntityManager.prototype,
  'refresh',
  (em, refresh, ...given) => {
    if (Utils.isEntity(given[0])) em.assertOwn(given[0]);
    return refresh(...given);
  },
);

function hasOptions(options: object): boolean {
  for (const _ in options) return true;
  return false;
}

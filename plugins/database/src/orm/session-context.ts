import { ControlledTransaction } from 'kysely';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';

type KyselyTransaction = ControlledTransaction<unknown>;

/**
 * What MikroORM passes along as the transaction of a session: a transaction of Kysely that is made when something of it is
 * first used. Most sessions use nothing of it, and it costs more than the rest of a session without a statement.
 */
export class SessionContext {
  readonly transaction: LazyTransaction;
  readonly #make: () => KyselyTransaction;
  #made: KyselyTransaction | undefined;

  constructor(transaction: LazyTransaction, make: () => KyselyTransaction) {
    this.transaction = transaction;
    this.#make = make;
  }

  get kysely(): KyselyTransaction {
    this.#made ??= this.#make();
    return this.#made;
  }

  // What MikroORM asks of every session that has stored something.

  get isRolledBack(): boolean {
    return this.#made?.isRolledBack ?? false;
  }

  commit(): { execute(): Promise<void> } {
    return this.#made?.commit() ?? { execute: () => this.transaction.commitForOrm() };
  }
}

/** It has the methods of Kysely, and is one of its transactions for `instanceof`. */
function delegateToKysely(prototype: SessionContext): void {
  for (let from: object = ControlledTransaction.prototype; from !== Object.prototype; from = parentOf(from)) {
    for (const name of Reflect.ownKeys(from)) {
      if (name in prototype) continue;
      Object.defineProperty(prototype, name, {
        configurable: true,
        get(this: SessionContext) {
          const { kysely } = this;
          const value: unknown = Reflect.get(kysely, name);
          return typeof value === 'function' ? value.bind(kysely) : value;
        },
      });
    }
  }
  Object.setPrototypeOf(prototype, ControlledTransaction.prototype);
}

function parentOf(prototype: object): object {
  return Object.getPrototypeOf(prototype);
}

delegateToKysely(SessionContext.prototype);

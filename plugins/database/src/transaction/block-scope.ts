import { AsyncLocalStorage } from 'node:async_hooks';
import { markCaller } from '../errors/code-path.js';
import { TransactionFailedError } from '../errors/session-errors.js';
import type { Block } from './block.js';

/** The call tree of one block. The block is made with its savepoint, in the transaction that this is set in. */
export interface BlockScope {
  readonly outer: BlockScope | undefined;
  /** The code path that began it. */
  readonly at: () => string | undefined;
  opened: { readonly block: Block; readonly by: object } | undefined;
}

const scopes = new AsyncLocalStorage<BlockScope>();

/** The block of the calling code, if `work` of it was begun by `inBlock`. */
export function currentScope(): BlockScope | undefined {
  return scopes.getStore();
}

/** Runs `work` as a block of its own, from its first savepoint on. Without a savepoint it is part of the block around it. */
export async function inBlock<T>(work: () => Promise<T>): Promise<T> {
  const scope: BlockScope = { outer: scopes.getStore(), at: markCaller(), opened: undefined };
  try {
    return await scopes.run(scope, work);
  } finally {
    // What was not taken back by then is still there.
    scope.opened?.block.end('kept');
  }
}

/** As `inBlock`, for work that takes its savepoint back when it fails; where it could not, the block around it is lost. */
export function inUndoneBlock<T>(work: () => Promise<T>): Promise<T> {
  return inBlock(async () => {
    const scope = scopes.getStore();
    try {
      return await work();
    } catch (error) {
      const block = scope?.opened?.block;
      if (block?.state === 'open') block.lose(new TransactionFailedError(error));
      throw error;
    }
  });
}

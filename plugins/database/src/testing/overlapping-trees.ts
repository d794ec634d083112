import { setImmediate as turn } from 'node:timers/promises';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount } from './checks.js';

/** Work of one call tree: a statement, or a session inside the one around it. */
export type Tree = { readonly pause: number; readonly detached: boolean } & (
  | { readonly is: 'insert' }
  | { readonly is: 'batch'; readonly items: number; readonly fails: boolean }
  | {
      readonly is: 'transaction' | 'transactional' | 'join';
      readonly parts: readonly Tree[];
      readonly together: boolean;
      readonly fails: boolean;
    }
);

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Parts of a unit that run beside each other, nest, fail, and are left behind by what began them. */
export function growOverlappingTree(seed: number): readonly Tree[] {
  const next = numbers(seed);
  const chance = (share: number) => next() < share;
  const several = (most: number, depth: number) =>
    Array.from({ length: 1 + Math.floor(next() * most) }, () => grow(depth));
  const grow = (depth: number): Tree => {
    const common = { pause: Math.floor(next() * 6), detached: chance(0.1) };
    if (depth === 0 || chance(0.35)) return { ...common, is: 'insert' };
    if (chance(0.12)) return { ...common, is: 'batch', items: 1 + Math.floor(next() * 3), fails: chance(0.3) };
    const is = chance(0.1) ? 'join' : chance(0.3) ? 'transactional' : 'transaction';
    const fails = chance(is === 'join' ? 0.05 : 0.2);
    return { ...common, is, parts: several(3, depth - 1), together: chance(0.5), fails };
  };
  return several(4, 3);
}

/** What became of one part: its caller got a success, which holds if the work around it succeeds. */
interface Grown {
  done: boolean;
  readonly emails: string[];
  readonly parts: Grown[];
}

function grown(): Grown {
  return { done: false, emails: [], parts: [] };
}

function emailsOf({ done, emails, parts }: Grown): string[] {
  return done ? [...emails, ...parts.flatMap(emailsOf)] : [];
}

const refused = new Error('refused by the work');

/** Runs the trees as one unit, side by side. `stored` is what must be stored, as each caller was answered. */
export async function plant(database: DatabaseService, trees: readonly Tree[], name: string) {
  let count = 0;
  const detached: Promise<unknown>[] = [];

  /** Notes in `into` how `tree` ends; its caller swallows its error. */
  const answered = async (em: EntityManager, tree: Tree, into: Grown): Promise<void> => {
    for (let turns = 0; turns < tree.pause; turns++) await turn();
    const own = grown();
    into.parts.push(own);
    await run(em, tree, own).then(
      () => {
        own.done = true;
      },
      () => {},
    );
  };
  const begin = (em: EntityManager, tree: Tree, into: Grown): Promise<void> => {
    const running = answered(em, tree, into);
    if (!tree.detached) return running;
    detached.push(running);
    return Promise.resolve();
  };
  const run = async (em: EntityManager, tree: Tree, own: Grown): Promise<unknown> => {
    if (tree.is === 'insert') return store(em, own);
    if (tree.is === 'batch') return batch(tree.items, tree.fails, own);
    const work = async (inner: EntityManager) => {
      for (const part of tree.parts) {
        const running = begin(inner, part, own);
        if (!tree.together) await running;
        else pending.push(running);
      }
      await Promise.all(pending);
      if (tree.fails) throw refused;
    };
    const pending: Promise<void>[] = [];
    if (tree.is === 'transactional') return em.transactional(work);
    return tree.is === 'join' ? database.session(work) : database.transaction(work);
  };
  const store = async (em: EntityManager, own: Grown) => {
    count += 1;
    const email = `${name}-${String(count).padStart(3, '0')}`;
    await addAccount(em, email);
    own.emails.push(email);
  };
  const batch = async (items: number, fails: boolean, own: Grown) => {
    count += 1;
    const emails = Array.from({ length: items }, (_, item) => `${name}-${String(count).padStart(3, '0')}-${item}`);
    const given = fails ? [...emails, ...emails.slice(0, 1)] : emails;
    const work = async (em: EntityManager, chunk: readonly string[]) => {
      for (const email of chunk) await addAccount(em, email);
      await turn();
    };
    await database.batch(given, work, { chunkSize: 2, nested: 'savepoint' });
    own.emails.push(...emails);
  };

  let unit = grown();
  try {
    await database.session(async em => {
      unit = grown();
      await Promise.all(trees.map(tree => begin(em, tree, unit)));
      for (const running of detached) await running;
    });
    unit.done = true;
    return { stored: emailsOf(unit).toSorted(), error: undefined };
  } catch (error) {
    await Promise.allSettled(detached);
    return { stored: [], error };
  }
}

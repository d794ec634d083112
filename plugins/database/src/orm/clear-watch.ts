import type { Logger } from '@keelson/core';
import { callerPath } from '../errors/code-path.js';
import { type EntityManager, hasUnflushedWork } from './entity-manager.js';

/** Warns when `em.clear()` drops work that was never flushed, once for each place in the code. */
export class ClearWatch {
  readonly #logger: Logger;
  readonly #seen = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** To be called before `em` is cleared. */
  look(em: EntityManager): void {
    if (!dropsWork(em)) return;
    const at = callerPath();
    const place = at ?? 'unknown';
    if (this.#seen.has(place)) return;
    this.#seen.add(place);
    this.#logger.warn('work that was never flushed was dropped by em.clear()', at === undefined ? {} : { at });
  }
}

/** Nothing that MikroORM thinks of a half-made entity stops it from being forgotten. */
function dropsWork(em: EntityManager): boolean {
  try {
    return hasUnflushedWork(em);
  } catch {
    return true;
  }
}

import type { Platform } from '@mikro-orm/core';
import type { DriverConnection } from '../driver/driver.js';
import { sqlStateOf } from '../errors/sql-state.js';
import type { EntityManager } from '../orm/entity-manager.js';
import type { BatchContext, BatchSession } from './batch-options.js';
import { type CopyGroup, CopyRows, groupByColumns } from './copy-rows.js';
import { type EntityRows, type InsertedRow, isEntity } from './entity-rows.js';
import { ItemFailure } from './find-item.js';

/** The table takes no COPY, although the driver can send one: row-level security, or a view. */
export class CopyRefused extends Error {}

/** feature_not_supported for row-level security, wrong_object_type for a view (PostgreSQL manual, COPY). */
const refusals = new Set(['0A000', '42809']);

/**
 * Stores chunks of rows as a flush would: plain ones by COPY, or by INSERT where COPY is not to be had; all others through
 * a unit of work.
 */
export class BulkInsert {
  readonly #rows: EntityRows;
  readonly #copyRows: CopyRows;
  readonly #session: BatchSession;
  #copies: boolean;

  constructor(parts: { rows: EntityRows; platform: Platform; session: BatchSession; copies: boolean }) {
    this.#rows = parts.rows;
    this.#session = parts.session;
    this.#copies = parts.copies;
    this.#copyRows = new CopyRows(parts.rows.meta, parts.platform);
  }

  /** @throws CopyRefused when nothing was stored, and another call will store the same rows without COPY. */
  async store(em: EntityManager, given: readonly InsertedRow[], { firstItem }: BatchContext): Promise<void> {
    this.#rows.assertKnown(given, firstItem);
    if (!given.every(row => this.#rows.isPlain(row))) return this.#flush(em, given);
    const rows = given.map(row => this.#rows.complete(row));
    // COPY without a column stores nothing, so a row of defaults alone goes by INSERT.
    if (!this.#copies || rows.some(row => Object.keys(row).length === 0)) return this.#insert(em, rows);
    const groups = this.#copyRows.group(rows, firstItem);
    if (groups === undefined) return this.#insert(em, rows);
    await this.#session.transaction.withConnection(async connection => {
      for (const group of groups) await this.#copy(connection, group);
    });
  }

  /** The unit of work of `em` writes them: what it does not know how to write, nothing here does. */
  async #flush(em: EntityManager, rows: readonly InsertedRow[]): Promise<void> {
    const { class: Entity } = this.#rows.meta;
    for (const row of rows) em.persist(isEntity(row) ? row : em.create(Entity, { ...row }));
    await em.flush();
  }

  /** One statement for the rows of the same columns: where columns differ, MikroORM writes a default of its own. */
  async #insert(em: EntityManager, rows: readonly InsertedRow[]): Promise<void> {
    for (const { rows: alike } of groupByColumns(rows)) {
      // MikroORM may change what it is given.
      await em.insertMany(
        this.#rows.meta.class,
        alike.map(row => ({ ...row })),
      );
    }
  }

  async #copy(connection: DriverConnection, { sql, pieces, indexes }: CopyGroup): Promise<void> {
    try {
      await connection.copy(sql, eachOf(pieces));
    } catch (error) {
      if (refusals.has(sqlStateOf(error) ?? '')) {
        this.#copies = false;
        throw new CopyRefused('the table takes no COPY', { cause: error });
      }
      const index = indexes[this.#copyRows.lineOf(error) ?? -1];
      throw index === undefined ? error : new ItemFailure(index, error);
    }
  }
}

async function* eachOf(pieces: Iterable<string>): AsyncGenerator<string> {
  // Not `yield*`: an array takes no error of its reader.
  for (const piece of pieces) yield piece;
}

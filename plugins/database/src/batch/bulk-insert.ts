import type { EntityMetadata, Platform } from '@mikro-orm/core';
import type { DriverConnection } from '../driver/driver.js';
import { ValidationError } from '../errors/validation-error.js';
import type { EntityManager } from '../orm/entity-manager.js';
import type { BatchContext, BatchSession } from './batch-options.js';
import { type CopyGroup, CopyRows } from './copy-rows.js';
import { ItemFailure } from './find-item.js';

export type InsertedRow = Readonly<Record<string, unknown>>;

/** Stores a chunk of rows by INSERT: what every driver can do. */
export async function insertRows(
  em: EntityManager,
  entityName: EntityMetadata['class'],
  rows: readonly InsertedRow[],
  { firstItem }: BatchContext,
): Promise<void> {
  assertObjects(rows, firstItem);
  // MikroORM writes into the rows it is given.
  await em.insertMany(
    entityName,
    rows.map(row => ({ ...row })),
  );
}

/** Stores chunks of rows by COPY, and by INSERT where COPY cannot say it. */
export class CopyInsert {
  readonly #meta: EntityMetadata;
  readonly #rows: CopyRows;

  constructor(meta: EntityMetadata, platform: Platform) {
    this.#meta = meta;
    this.#rows = new CopyRows(meta, platform);
  }

  async store(
    em: EntityManager,
    rows: readonly InsertedRow[],
    session: BatchSession,
    context: BatchContext,
  ): Promise<void> {
    assertObjects(rows, context.firstItem);
    const groups = this.#rows.possible ? this.#rows.group(rows, context.firstItem) : undefined;
    if (groups === undefined) return insertRows(em, this.#meta.class, rows, context);
    await session.transaction.withConnection(async connection => {
      for (const group of groups) await this.#copy(connection, group);
    });
  }

  async #copy(connection: DriverConnection, { sql, lines, rows }: CopyGroup): Promise<void> {
    try {
      await connection.copy(sql, pieces(lines));
    } catch (error) {
      const index = rows[this.#rows.lineOf(error) ?? -1];
      throw index === undefined ? error : new ItemFailure(index, error);
    }
  }
}

const pieceLength = 65_536;

async function* pieces(lines: readonly string[]): AsyncGenerator<string> {
  let piece = '';
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function assertObjects(rows: readonly unknown[], firstItem: number): void {
  const index = rows.findIndex(row => typeof row !== 'object' || row === null);
  if (index === -1) return;
  throw new ValidationError([
    { path: `/${firstItem + index}`, message: 'must be an object with the properties of a row' },
  ]);
}

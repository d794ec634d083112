import { type EntityMetadata, type EntityName, helper } from '@mikro-orm/core';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import { boundStatement } from './bound-statement.js';
import type { EntityManager } from './entity-manager.js';
import { type KnownText, Lesson, limit } from './lesson.js';
import { isPlainEntity, type PlainShape, plainShapeOf } from './plain-shape.js';

/** Code has few shapes. Conditions that a program makes up from its input are not to fill the memory. */
const mostTexts = 1_000;

export interface PlainRead extends PlainShape {
  readonly meta: EntityMetadata;
  /** Undefined at the first read of the shape. */
  readonly sql: string | undefined;
}

/**
 * The texts of reads of one entity by the values of some of its properties, as in `em.findOne(Author, { id })`. MikroORM
 * builds the text of each read from a tree of conditions, which costs more than anything else of such a read. Here the text
 * that it has built for the first read of a shape serves all others.
 *
 * All that can change the text or the result is left to MikroORM: filters, eager and inverse relations, inheritance,
 * formulas, types that convert a value.
 */
export class PlainReads {
  readonly #texts = new Map<string, KnownText>();
  readonly #plainEntities = new Map<EntityMetadata, boolean>();

  /** Undefined when it is left to MikroORM. */
  readOf(em: EntityManager, entityName: EntityName, where: unknown): PlainRead | undefined {
    const meta = em.getMetadata().find(entityName);
    const shape = meta && this.#isPlain(meta) ? plainShapeOf(meta, where, em.getPlatform()) : undefined;
    if (meta === undefined || shape === undefined) return undefined;
    const { name, values } = shape;
    const text = this.#texts.get(name);
    return text?.is === 'left to MikroORM' ? undefined : { meta, name, values, sql: text?.sql };
  }

  /** Does the first read of a shape in MikroORM's own way. */
  async learn<R>({ name, values }: PlainShape, read: (options: object) => Promise<R>): Promise<R> {
    const lesson = new Lesson(values);
    const found = await read(lesson.options);
    if (lesson.text !== undefined && this.#texts.size < mostTexts) this.#texts.set(name, lesson.text);
    return found;
  }

  #isPlain(meta: EntityMetadata): boolean {
    const known = this.#plainEntities.get(meta);
    if (known !== undefined) return known;
    const isPlain = isPlainEntity(meta);
    this.#plainEntities.set(meta, isPlain);
    return isPlain;
  }
}

/**
 * Does with a known text what MikroORM does in `findOne`, with its own means.
 *
 * @throws what MikroORM throws for the same read.
 */
export async function findByText(
  em: EntityManager,
  transaction: LazyTransaction,
  { meta, values }: PlainRead,
  sql: string,
): Promise<object | null> {
  await em.tryFlush(meta.class, {});
  const driver = em.getDriver();
  const platform = driver.getPlatform();
  const { rows } = await transaction.run(boundStatement(platform, sql, [...values, limit])).catch((error: Error) => {
    throw platform.getExceptionConverter().convertException(error);
  });
  const [row] = rows;
  const data = row && driver.mapResult(row, meta);
  if (data === undefined || data === null) return null;
  const entity = em.getEntityFactory().create(meta.class, data, { merge: true, convertCustomTypes: true });
  helper(entity).setSerializationContext({ populate: [] });
  await em.getUnitOfWork().dispatchOnLoadEvent();
  return entity;
}

import { type EntityMetadata, type EntityName, helper } from '@mikro-orm/core';
import type { StatementResult } from '../driver/driver.js';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import { boundStatement } from './bound-statement.js';
import type { EntityManager } from './entity-manager.js';
import { isPlainEntity, plainReadShape, plainUpdateShape } from './plain-shape.js';
import { toQueryResult } from './query-result.js';
import { type KnownText, TextRecorder } from './text-recorder.js';

/** Code has few shapes. Those that a program makes up from its input are not to fill the memory. */
const mostTexts = 1_000;

/** MikroORM's limit of a read of one entity is the last parameter. */
const limit = 1;

export interface PlainStatement {
  readonly meta: EntityMetadata;
  readonly shape: string;
  readonly parameters: readonly unknown[];
  readonly ending: string;
  /** Undefined at the first of the shape. */
  readonly sql: string | undefined;
}

/**
 * The texts of statements about one entity that use nothing but values of its properties, as `em.findOne(Author, { id })`
 * does. MikroORM builds the text of each from a tree of conditions, which costs more than anything else of such a statement.
 * Here the text that it has built for the first of a shape serves all others.
 *
 * All that can change the text or the result is left to MikroORM: filters, eager and inverse relations, inheritance,
 * formulas, types that convert a value in SQL.
 */
export class PlainStatements {
  readonly #texts = new Map<string, KnownText>();
  readonly #plainEntities = new Map<EntityMetadata, boolean>();

  /** Undefined when it is left to MikroORM. */
  readOf(em: EntityManager, entityName: EntityName, where: unknown): PlainStatement | undefined {
    const meta = this.#plainEntity(em, entityName);
    const shape = meta && plainReadShape(meta, where, em.getPlatform());
    return shape && this.#statement(meta, shape.name, [...shape.values, limit], ' limit ?');
  }

  /** Undefined when it is left to MikroORM. */
  updateOf(em: EntityManager, entityName: EntityName, where: unknown, data: unknown): PlainStatement | undefined {
    const meta = this.#plainEntity(em, entityName);
    const shape = meta && plainUpdateShape(meta, where, data, em.getPlatform());
    return shape && this.#statement(meta, shape.name, shape.values, '');
  }

  /** MikroORM does the first of a shape. */
  async learn<R>({ shape, parameters, ending }: PlainStatement, run: (options: object) => Promise<R>): Promise<R> {
    const recorder = new TextRecorder(parameters, ending);
    const result = await run(recorder.options);
    if (recorder.text !== undefined && this.#texts.size < mostTexts) this.#texts.set(shape, recorder.text);
    return result;
  }

  #statement(
    meta: EntityMetadata,
    shape: string,
    parameters: PlainStatement['parameters'],
    ending: string,
  ): PlainStatement | undefined {
    const text = this.#texts.get(shape);
    return text?.is === 'left to MikroORM' ? undefined : { meta, shape, parameters, ending, sql: text?.sql };
  }

  #plainEntity(em: EntityManager, entityName: EntityName): EntityMetadata | undefined {
    const meta = em.getMetadata().find(entityName);
    if (meta === undefined) return undefined;
    let isPlain = this.#plainEntities.get(meta);
    if (isPlain === undefined) {
      isPlain = isPlainEntity(meta);
      this.#plainEntities.set(meta, isPlain);
    }
    return isPlain ? meta : undefined;
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
  read: PlainStatement,
  sql: string,
): Promise<object | null> {
  const { meta } = read;
  await em.tryFlush(meta.class, {});
  const [row] = (await run(em, transaction, read, sql)).rows;
  const data = row && em.getDriver().mapResult(row, meta);
  if (data === undefined || data === null) return null;
  const entity = em.getEntityFactory().create(meta.class, data, { merge: true, convertCustomTypes: true });
  helper(entity).setSerializationContext({ populate: [] });
  await em.getUnitOfWork().dispatchOnLoadEvent();
  return entity;
}

/** The same for `nativeUpdate`. Returns the number of rows that it has changed. */
export async function updateByText(
  em: EntityManager,
  transaction: LazyTransaction,
  update: PlainStatement,
  sql: string,
): Promise<number> {
  const result = toQueryResult(await run(em, transaction, update, sql));
  return Number(result.numAffectedRows ?? result.rows.length);
}

function run(
  em: EntityManager,
  transaction: LazyTransaction,
  { parameters }: PlainStatement,
  sql: string,
): Promise<StatementResult> {
  const platform = em.getDriver().getPlatform();
  return transaction.run(boundStatement(platform, sql, parameters)).catch((error: Error) => {
    throw platform.getExceptionConverter().convertException(error);
  });
}

import { KeelsonError } from '@keelson/core';
import {
  type EntityMetadata,
  type EntityProperty,
  EventType,
  helper,
  isRaw,
  JsonType,
  Reference,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import { ValidationError } from '../errors/validation-error.js';
import type { EntityManager } from '../orm/entity-manager.js';

/** A row as the caller gives it: the properties of an entity. */
export type InsertedRow = Readonly<Record<string, unknown>>;

/** A property that a flush fills in when the row leaves it out. */
interface Filled {
  readonly name: string;
  readonly value: (row: InsertedRow, em: EntityManager) => unknown;
}

/**
 * What a flush would store for the rows of one entity: defaults, `onCreate` and the discriminator filled in, and what a
 * flush never writes (versions, generated columns, properties that are not persisted) left out.
 */
export class EntityRows {
  readonly meta: EntityMetadata;
  readonly #em: EntityManager;
  readonly #filled: readonly Filled[];
  readonly #ignored: ReadonlySet<string>;
  /** Of one column that holds one value. */
  readonly #plain: ReadonlySet<string>;
  readonly #needsFlush: boolean;

  /** @throws KeelsonError `DATABASE_BATCH_INVALID` for an entity whose rows cannot be inserted in bulk. */
  constructor(meta: EntityMetadata, em: EntityManager) {
    assertOneTable(meta);
    this.meta = meta;
    this.#em = em;
    this.#filled = filledProperties(meta);
    this.#ignored = new Set(meta.props.filter(isIgnored).map(({ name }) => name));
    this.#plain = new Set(meta.props.filter(isPlain).map(({ name }) => name));
    this.#needsFlush = needsFlush(meta, em);
  }

  /** What is stored for `row`: the properties that are defined, and those that a flush fills in. Most rows are that already. */
  complete(row: InsertedRow): InsertedRow {
    if (this.#filled.length === 0 && this.#isComplete(row)) return row;
    const complete: Record<string, unknown> = {};
    for (const name of Object.keys(row)) {
      const value = row[name];
      if (value !== undefined && !this.#ignored.has(name)) complete[name] = value;
    }
    for (const { name, value } of this.#filled) complete[name] ??= value(complete, this.#em);
    return complete;
  }

  #isComplete(row: InsertedRow): boolean {
    for (const name of Object.keys(row)) if (row[name] === undefined || this.#ignored.has(name)) return false;
    return true;
  }

  /** Whether every property of the row is one column that holds one value, so that no unit of work is needed. */
  isPlain(row: InsertedRow): boolean {
    if (this.#needsFlush || isEntity(row)) return false;
    for (const name of Object.keys(row)) {
      const value = row[name];
      if (value === undefined || this.#ignored.has(name)) continue;
      if (!this.#plain.has(name) || isRaw(value) || isWithoutKey(value)) return false;
    }
    return true;
  }

  /** @throws ValidationError with an entry for each row that is no object and for each property that does not exist. */
  assertKnown(rows: readonly unknown[], firstItem: number): void {
    const problems = rows.flatMap((row, index) => (this.#isKnown(row) ? [] : this.#problemsOf(row, firstItem + index)));
    if (problems.length > 0) throw new ValidationError(problems);
  }

  #isKnown(row: unknown): boolean {
    if (typeof row !== 'object' || row === null) return false;
    for (const name of Object.keys(row)) if (this.meta.properties[name] === undefined) return false;
    return true;
  }

  #problemsOf(row: unknown, item: number) {
    if (typeof row !== 'object' || row === null)
      return [{ path: `/${item}`, message: 'must be an object with the properties of a row' }];
    if (isEntity(row)) return [];
    return Object.keys(row)
      .filter(name => this.meta.properties[name] === undefined)
      .map(name => ({ path: `/${item}/${pointer(name)}`, message: `is not a property of ${this.meta.className}` }));
  }
}

/** Whether the caller gives an entity of its own in place of a row. */
export function isEntity(row: object): boolean {
  return Utils.isEntity(row);
}

/** RFC 6901. */
function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function assertOneTable({ className, inheritanceType, virtual, view, readonly, abstract }: EntityMetadata): void {
  const reason =
    inheritanceType === 'tpt'
      ? 'is stored in several tables'
      : virtual === true || view === true || readonly === true
        ? 'cannot be written'
        : abstract === true
          ? 'is abstract'
          : undefined;
  if (reason === undefined) return;
  throw new KeelsonError({
    code: 'DATABASE_BATCH_INVALID',
    message: `Rows of ${className} cannot be inserted in bulk: the entity ${reason}.`,
    hint: 'Use `batch` and create the entities in its work, or insert into another entity.',
    facts: { entity: className },
  });
}

function filledProperties(meta: EntityMetadata): Filled[] {
  const { discriminatorColumn } = meta.root;
  const filled = meta.props
    .filter(property => property.embedded === undefined && !isIgnored(property) && !isRelation(property))
    .flatMap((property): Filled[] => {
      const { name, onCreate, default: value } = property;
      if (onCreate !== undefined) return [{ name, value: (row, em) => onCreate(row, em) }];
      return value === undefined || value === null || isRaw(value) ? [] : [{ name, value: () => value }];
    });
  if (discriminatorColumn === undefined || meta.discriminatorValue === undefined) return filled;
  return [...filled, { name: String(discriminatorColumn), value: () => meta.discriminatorValue }];
}

function isRelation({ kind }: EntityProperty): boolean {
  return kind !== ReferenceKind.SCALAR && kind !== ReferenceKind.EMBEDDED;
}

/** What a flush never writes, whatever stands in it. */
function isIgnored({ persist, generated, primary, version, formula }: EntityProperty): boolean {
  return (
    persist === false || version === true || formula !== undefined || (generated !== undefined && primary !== true)
  );
}

/** Hooks, subscribers and constructors see an entity, so there must be one. */
function needsFlush(meta: EntityMetadata, em: EntityManager): boolean {
  const events = [EventType.onInit, EventType.beforeCreate, EventType.afterCreate];
  return (
    events.some(event => em.getEventManager().hasListeners(event, meta)) ||
    meta.schema === '*' ||
    constructorSetsValues(meta)
  );
}

function constructorSetsValues({ class: Entity, constructorParams = [], properties }: EntityMetadata): boolean {
  if (constructorParams.length > 0) return true;
  try {
    const made: object = Reflect.construct(Entity, []);
    return Object.keys(made).some(name => name in properties && Reflect.get(made, name) !== undefined);
  } catch {
    return true;
  }
}

/** An entity that is to be stored with the row that refers to it. */
function isWithoutKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Date) return false;
  const related: unknown = Reference.unwrapReference(value);
  return Utils.isEntity<object>(related) && !helper(related).hasPrimaryKey();
}

function isPlain(property: EntityProperty): boolean {
  const { fieldNames, embeddedProps, polymorphic, kind, customType, hasConvertToDatabaseValueSQL } = property;
  if (fieldNames?.length !== 1 || embeddedProps !== undefined || polymorphic === true) return false;
  if (kind === ReferenceKind.MANY_TO_MANY || kind === ReferenceKind.ONE_TO_MANY) return false;
  return customType instanceof JsonType || hasConvertToDatabaseValueSQL !== true;
}

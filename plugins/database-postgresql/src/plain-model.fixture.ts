import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, MikroORM, p, Type } from '@mikro-orm/postgresql';
import { vi } from 'vitest';

/** Stores in upper case. */
class Upper extends Type<string | null, string | null> {
  override convertToDatabaseValue(value: string | null) {
    return value?.toUpperCase() ?? null;
  }
}

const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: { city: p.string(), zip: p.string().nullable() },
});

export const Team = defineEntity({
  name: 'Team',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    people: () => p.oneToMany(Person).mappedBy('team'),
  },
});

/** What the hooks and the filter of the model have seen, and do. */
export const model = { loaded: [] as string[], hides: false };

export const Person = defineEntity({
  name: 'Person',
  properties: {
    id: p.integer().primary(),
    email: p.string().unique(),
    age: p.integer().nullable(),
    score: p.double().nullable(),
    active: p.boolean().default(true),
    visits: p.bigint('bigint').nullable(),
    token: p.uuid().nullable(),
    born: p.date().nullable(),
    seenAt: p.datetime().nullable(),
    notes: p.json<object>().nullable(),
    secret: p.string().lazy().nullable(),
    home: () => p.embedded(Place).nullable(),
    away: () => p.embedded(Place).object().nullable(),
    code: p.string().type(Upper).nullable(),
    version: p.integer().version(),
    team: () => p.manyToOne(Team).nullable(),
  },
  hooks: { onLoad: [({ entity }) => void model.loaded.push(entity.email)] },
});

export const Hidden = defineEntity({
  name: 'Hidden',
  properties: { id: p.integer().primary(), visible: p.string().nullable() },
  // Without a parameter, so that its text alone differs from that of another moment.
  filters: { visible: { name: 'visible', cond: () => (model.hides ? { visible: null } : {}), default: true } },
});
export const Pointer = defineEntity({
  name: 'Pointer',
  properties: { id: p.integer().primary(), hidden: () => p.manyToOne(Hidden).nullable() },
});
const Passport = defineEntity({
  name: 'Passport',
  properties: { id: p.integer().primary(), holder: () => p.oneToOne(Holder).owner() },
});
export const Holder = defineEntity({
  name: 'Holder',
  properties: { id: p.integer().primary(), passport: () => p.oneToOne(Passport).mappedBy('holder').nullable() },
});
export const Eager = defineEntity({
  name: 'Eager',
  properties: { id: p.integer().primary(), team: () => p.manyToOne(Team).eager() },
});
export const Sum = defineEntity({
  name: 'Sum',
  properties: { id: p.integer().primary(), a: p.integer(), twice: p.integer().formula(columns => `${columns.a} * 2`) },
});
export const Animal = defineEntity({
  name: 'Animal',
  discriminatorColumn: 'kind',
  discriminatorValue: 'animal',
  properties: { id: p.integer().primary(), kind: p.enum(['cat', 'animal']).default('animal') },
});
export const Cat = defineEntity({
  name: 'Cat',
  extends: Animal,
  discriminatorValue: 'cat',
  properties: { lives: p.integer().nullable() },
});
export const Pair = defineEntity({
  name: 'Pair',
  properties: { left: p.integer().primary(), right: p.string().primary(), note: p.string().nullable() },
});

const entities = [Place, Team, Person, Hidden, Pointer, Holder, Passport, Eager, Sum, Animal, Cat, Pair];
export const token = '6f1a3c1e-0000-4000-8000-00000000000a';

async function fill(em: EntityManager): Promise<void> {
  const team = em.create(Team, { id: 1, title: 'one' });
  const both = { age: 30, score: 1.5, visits: 9_007_199_254_740_993n, token, born: '2000-01-02', secret: 'S', team };
  em.create(Person, {
    id: 1,
    email: 'a@b.c',
    ...both,
    seenAt: new Date('2026-01-02T03:04:05.678Z'),
    notes: { deep: [1, null, 'x'] },
    home: { city: 'Rome', zip: null },
    away: { city: 'Oslo', zip: '1' },
    code: 'ABC',
  });
  em.create(Person, { id: 2, email: 'd@e.f', active: false });
  em.create(Hidden, { id: 1, visible: 'yes' });
  await em.flush();
  em.create(Pointer, { id: 1, hidden: 1 });
  const holder = em.create(Holder, { id: 1 });
  em.create(Passport, { id: 7, holder });
  em.create(Eager, { id: 1, team });
  em.create(Sum, { id: 1, a: 21 });
  em.create(Cat, { id: 1, kind: 'cat', lives: 9 });
  em.create(Animal, { id: 2 });
  em.create(Pair, { left: 1, right: 'r', note: 'n' });
}

/** A filled database with a service on it, whose statements are counted. */
export class CountedService implements AsyncDisposable {
  readonly database: DatabaseService;
  readonly #postgres: TestDatabase;
  readonly #service: PostgresqlService;

  static async start(): Promise<CountedService> {
    const postgres = await createTestDatabase();
    await using orm = await MikroORM.init({ clientUrl: postgres.url, entities });
    await orm.schema.create();
    const service = await connectPostgresqlService({ url: postgres.url, models: [{ entities }] });
    await service.database.session(fill);
    return new CountedService(postgres, service);
  }

  private constructor(postgres: TestDatabase, service: PostgresqlService) {
    this.#postgres = postgres;
    this.#service = service;
    this.database = service.database;
  }

  /** How many statements are sent while `work` runs. */
  async sentIn(work: () => Promise<unknown>): Promise<number> {
    const count = () => this.#service.logger.lines('debug').filter(({ message }) => message === 'statement').length;
    const before = count();
    await work();
    return count() - before;
  }

  /** How often MikroORM builds a read or an update while `work` runs. */
  async builtIn(work: () => Promise<unknown>): Promise<number> {
    const driver = await this.database.read(async em => em.getDriver());
    const built = [vi.spyOn(driver, 'find'), vi.spyOn(driver, 'nativeUpdate')];
    try {
      await work();
      return built.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    } finally {
      for (const each of built) each.mockRestore();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service[Symbol.asyncDispose]();
    await this.#postgres[Symbol.asyncDispose]();
  }
}

import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const Team = defineEntity({ name: 'Team', properties: { id: p.integer().primary(), name: p.string() } });

const Player = defineEntity({
  name: 'Player',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    team: () => p.manyToOne(Team).nullable(),
    contract: () => p.oneToOne(Contract).mappedBy('player').nullable(),
  },
});

const Contract = defineEntity({
  name: 'Contract',
  properties: { id: p.integer().primary(), player: () => p.oneToOne(Player).owner() },
});

type TeamEntity = InferEntity<typeof Team>;

const create = `create table team (id serial primary key, name text not null);
  create table player (id serial primary key, name text not null, team_id int references team);
  create table contract (id serial primary key, player_id int not null unique references player)`;

describe('an entity that is not stored yet', () => {
  let testDatabase: TestDatabase;
  let database: DatabaseService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    database = createPostgresqlService({
      url: testDatabase.url,
      models: [{ entities: [Team, Player, Contract] }],
    }).database;
    await database.connect();
    for (const statement of create.split(';')) await database.session(em => em.execute(statement));
  });
  afterAll(async () => {
    await database.disconnect();
    await testDatabase[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await database.session(em => em.execute('truncate team, player, contract restart identity'));
    await database.session(em => em.insert(Player, { name: 'without' }));
  });

  const players = () =>
    database.read(em =>
      em.execute<{ name: string; team_id: number | null }[]>('select name, team_id from player order by id'),
    );
  const newTeam = (em: EntityManager) => em.create(Team, { name: 'new' });

  type Use = (em: EntityManager, team: TeamEntity) => Promise<unknown>;
  const uses: readonly (readonly [string, Use])[] = [
    ['insert', (em, team) => em.insert(Player, { name: 'added', team })],
    ['insertMany', (em, team) => em.insertMany(Player, [{ name: 'added', team }])],
    ['upsert', (em, team) => em.upsert(Player, { id: 5, name: 'added', team })],
    ['upsertMany', (em, team) => em.upsertMany(Player, [{ id: 5, name: 'added', team }])],
    ['nativeUpdate', (em, team) => em.nativeUpdate(Player, { name: 'without' }, { name: 'added', team })],
    ['nativeUpdate, in its condition', (em, team) => em.nativeUpdate(Player, { team }, { name: 'added' })],
    ['nativeDelete', (em, team) => em.nativeDelete(Player, { team })],
    [
      'nativeDelete, deep in its condition',
      (em, team) => em.nativeDelete(Player, { $or: [{ team: { $in: [team] } }] }),
    ],
    ['find', (em, team) => em.find(Player, { team })],
    ['findOne', (em, team) => em.findOne(Player, { team })],
    ['findAndCount', (em, team) => em.findAndCount(Player, { team })],
    ['a query builder', async (em, team) => em.createQueryBuilder(Player).insert({ name: 'added', team }).execute()],
    ['a query builder, in its condition', async (em, team) => em.createQueryBuilder(Player).delete({ team }).execute()],
    ['count', (em, team) => em.count(Player, { team })],
  ];

  test.each(uses)('is refused as a value of %s, which would take it for null', async (_, use) => {
    await database.session(async em => {
      await expect(use(em, newTeam(em))).rejects.toMatchObject({
        code: 'DATABASE_ENTITY_WITHOUT_KEY',
        facts: { entity: 'Team' },
      });
    });
    expect(await players()).toEqual([{ name: 'without', team_id: null }]);
  });

  test.each(uses)('may be a value of %s when it is flushed', async (_, use) => {
    await database.session(async em => {
      const team = newTeam(em);
      await em.flush();
      await use(em, team);
    });
    const added = (await players()).find(({ name }) => name === 'added');
    expect(added?.team_id ?? 1).toBe(1);
  });

  test('may refer to the row, which has no column for it', async () => {
    await database.session(async em => {
      const player = em.create(Player, { name: 'added' }, { persist: false });
      const contract = em.create(Contract, { player }, { persist: false });
      await em.insert(player);
      await em.insert(contract);
      const other = em.create(Player, { id: 5, name: 'other' }, { persist: false });
      em.create(Contract, { player: other }, { persist: false });
      await em.upsert(other);
      expect(await em.count(Contract, { player })).toBe(1);
    });
  });

  test('is stored with the rows of a bulk insert that refer to it, once', async () => {
    const team = await database.session(async em => em.create(Team, { name: 'new' }, { persist: false }));
    await database.bulkInsert(Player, [
      { name: 'first', team },
      { name: 'second', team },
    ]);
    expect((await players()).map(({ team_id: id }) => id)).toEqual([null, 1, 1]);
  });

  test('of another open session is refused in a bulk insert', async () => {
    await database.session(async em => {
      const team = newTeam(em);
      const inserting = database.outside(() => database.bulkInsert(Player, [{ name: 'lost', team }]));
      await expect(inserting).rejects.toMatchObject({ code: 'DATABASE_ENTITY_SHARED' });
    });
    expect(await players()).toHaveLength(1);
  });
});

import { isDeepStrictEqual } from 'node:util';
import { isKeelsonError } from '@keelson/core';
import type { MigrationCall, Migrator } from '../clients/migrator.ts';
import type { Stage } from '../scenario/stage.ts';
import type { Instance } from '../service/instance.ts';
import { shelfMigrations } from '../service/shelves.ts';
import type { World } from '../world/world.ts';
import { frozenMs } from './frozen-ms.ts';

/** Longest time for all instances to be migrated after the last fault, in ms: a lock may be held by a connection that is dead. */
const patienceMs = 90_000;
/** How long a run of migrations may take beyond its own time: to close its connection, and to look up a COMMIT. */
const lateMs = 7_000;
const readingMs = 15_000;

/** When the servers are well, each instance can migrate, and each migration is applied once. */
export async function checkMigrations(world: World, stage: Stage, migrators: readonly Migrator[]): Promise<void> {
  const alive = migrators.filter(({ instance }) => !instance.isDead);
  for (const migrator of alive) if (!(await succeeds(world, migrator))) return;
  const [first] = alive;
  if (first === undefined) return;
  const { applied, rows } = await stored(world, first);
  const expected = shelfMigrations.filter(name => name !== 'IndexShelves' || first.instance.options.pool.max > 1);
  if (!isDeepStrictEqual(applied, expected))
    world.violate('each migration is applied once', `applied are ${applied.join(', ')}`);
  const known = new Map(migrators.flatMap(({ instance }) => instance.shelfRows.map(row => [row.id, row.migration])));
  const filled = rows.map(id => known.get(id));
  if (!isDeepStrictEqual(filled.toSorted(), ['FillShelves', 'WidenShelves']))
    world.violate('each migration is applied once', `the rows are those of ${filled.join(', ')}`);
  for (const migrator of migrators) for (const call of migrator.calls) checkCall(world, stage, migrator, call, rows);
}

async function succeeds(world: World, migrator: Migrator): Promise<boolean> {
  const endMs = world.now + patienceMs;
  while (world.now < endMs) {
    if (await migrator.migrate()) return true;
    await world.time.sleep(100, 'a deployment');
  }
  // Without its time limits, a server keeps what clients hold that are gone.
  if (migrator.instance.driver.capabilities.has('server-timeouts'))
    world.violate(
      'every instance can migrate after the last fault',
      `${migrator.instance.name} after ${patienceMs} ms`,
    );
  return false;
}

interface Stored {
  readonly applied: readonly string[];
  readonly rows: readonly number[];
}

/** Asked again when it meets a connection that a fault has left behind. */
async function stored(world: World, { instance }: Migrator): Promise<Stored> {
  const endMs = world.now + readingMs;
  for (;;) {
    try {
      return await readStored(world, instance);
    } catch (error) {
      if (world.now > endMs) throw error;
      await world.time.sleep(100, 'a deployment');
    }
  }
}

function readStored(world: World, instance: Instance): Promise<Stored> {
  const { database, name } = instance;
  const read = async () => ({
    applied: (await database.migrations()).applied.map(each => each.name),
    rows: await database.session(async em => {
      const rows = await em.execute<{ id: number }[]>('select id from shelf order by id');
      return rows.map(({ id }) => id);
    }),
  });
  return new Promise((resolve, reject) => {
    world.time.after(0, 'a deployment', () => instance.run(read).then(resolve, reject), name);
  });
}

function checkCall(
  world: World,
  stage: Stage,
  { instance }: Migrator,
  { startedAtMs, endedAtMs, rows, result }: MigrationCall,
  stored: readonly number[],
): void {
  const { name, options } = instance;
  if (result === undefined || endedAtMs === undefined) return;
  const about = `${name} at ${startedAtMs}`;
  const tookMs = endedAtMs - startedAtMs - frozenMs(stage, { instance: name, askedAtMs: startedAtMs }, endedAtMs);
  if (tookMs > options.migrations.timeoutMs + lateMs)
    world.violate('a run of migrations ends in time', `${about} took ${tookMs} ms`);
  if (result.is === 'done') {
    for (const migration of result.names)
      if (!wasStored(stage, migration, endedAtMs))
        world.violate('no migration that is not stored is reported as done', `${about}: ${migration}`);
    return;
  }
  const { error } = result;
  if (!isKeelsonError(error)) {
    world.violate('every refusal has a code', `${about}: ${String(error)}`);
    return;
  }
  if (ofTwoAtOnce.has(String(error.facts.sqlState)))
    world.violate('no two instances migrate at the same time', `${about}: ${error.message}`);
  const done: unknown = error.facts.done;
  const isDone = (migration: string) => Array.isArray(done) && done.includes(migration);
  if (!error.message.includes(' and nothing of ')) return;
  for (const { id, migration } of rows)
    if (!isDone(migration) && stored.includes(id))
      world.violate('no stored migration is reported as not stored', `${about}: ${migration}: ${error.message}`);
}

/** A table, column or index is already there, or a row. */
const ofTwoAtOnce = new Set(['42P07', '42701', '23505']);

/** By then: when its COMMIT gets no answer, another instance may store it before its outcome is looked up. */
function wasStored({ history }: Stage, migration: string, byMs: number): boolean {
  return history.stored.some(({ unit, atMs }) => unit === migration && atMs <= byMs);
}

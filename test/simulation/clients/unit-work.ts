import type { BatchSource, DatabaseSession, SessionOptions } from '@keelson/database';
import { sql } from 'kysely';
import type { ClientPlan } from '../scenario/scenario.ts';
import type { Stage } from '../scenario/stage.ts';
import type { Instance } from '../service/instance.ts';
import { LedgerRow, PartRow, type Tables } from '../service/model.ts';
import type { Random } from '../world/random.ts';
import { channel } from './listener.ts';
import type { ReadList, Request } from './request.ts';

type Em = DatabaseSession['em'];

/** As the code of a service fails by itself. */
export class WorkFailed extends Error {}

/** What the requests of a client do in the service: each workload is one way to use a session. */
export class UnitWork {
  readonly #stage: Stage;
  readonly #plan: ClientPlan;
  readonly #random: Random;

  constructor(stage: Stage, plan: ClientPlan, random: Random) {
    this.#stage = stage;
    this.#plan = plan;
    this.#random = random;
  }

  /** One to three of those that the client uses. */
  someLists(): readonly string[] {
    const count = this.#random.integer(1, 3);
    const keys = Array.from({ length: count }, () => `list ${this.#random.integer(1, this.#plan.lists)}`);
    return [...new Set(keys)];
  }

  /** Does the work of the request, and gives what it has read. */
  async run({ database }: Instance, request: Request, options: SessionOptions): Promise<readonly ReadList[]> {
    const { unit, lists } = request;
    const item = (run: number) => `${unit}.${run},`;
    const started = () => {
      request.runs += 1;
      return request.runs;
    };
    const say = (session: DatabaseSession, text = unit) => {
      if (request.sends) session.notify(channel, text);
    };
    switch (request.workload) {
      case 'insert':
        await database.session(async (em, session) => {
          started();
          say(session);
          await note(em, unit);
        }, options);
        return [];
      case 'orm':
        await database.session(async (em, session) => {
          started();
          em.create(LedgerRow, { unit });
          say(session);
        }, options);
        return [];
      case 'append':
        return database.session(async (em, session) => {
          const run = started();
          const reads = await readAll(em, lists, unit);
          for (const key of lists) await put(em, key, item(run));
          await note(em, unit);
          say(session);
          return reads;
        }, options);
      case 'rewrite':
        return database.session(async em => {
          const run = started();
          const isSafe = options.isolation === 'repeatable read' || options.isolation === 'serializable';
          const reads: ReadList[] = [];
          for (const key of lists) {
            const read = await readList(em, key, unit, !isSafe);
            reads.push(read);
            if (this.#random.chance(0.5)) await pause(this.#random.exponential(20));
            if (read.items === '') await put(em, key, item(run));
            else await em.execute('update list set items = ? where key = ?', [read.items + item(run), key]);
          }
          await note(em, unit);
          return reads;
        }, options);
      case 'read':
        return database.read(em => {
          started();
          return readAll(em, this.someLists(), unit);
        }, options);
      case 'by hand': {
        await using session = await database.openSession(options);
        const run = started();
        const reads = await readAll(session.em, lists, unit);
        for (const key of lists) await put(session.em, key, item(run));
        say(session);
        await note(session.em, unit);
        await session.commit();
        return reads;
      }
      case 'savepoint':
        return database.session(async (em, session) => {
          const run = started();
          const [first = 'list 1', ...others] = lists;
          await put(em, first, item(run));
          await database
            .transaction(async inner => {
              say(session, `x${unit}`);
              // Without a statement, the server does not know of the part.
              if (!request.sends || this.#random.chance(0.5)) await put(inner, first, `x${unit}.lost,`);
              throw new WorkFailed('taken back');
            })
            .catch((error: unknown) => {
              if (!(error instanceof WorkFailed)) throw error;
            });
          for (const key of others) await database.transaction(inner => put(inner, key, item(run)));
          say(session);
          await note(em, unit);
          return [];
        }, options);
      case 'sleep':
        await database.session(async em => {
          started();
          await em.execute(`select pg_sleep(${this.#random.between(0.01, 2).toFixed(2)}) where ? <> ''`, [unit]);
          await note(em, unit);
        }, options);
        return [];
      case 'pause':
        await database.session(async em => {
          started();
          await note(em, unit);
          await pause(this.#random.exponential(400));
          await em.execute('select unit from ledger where unit = ?', [unit]);
        }, options);
        return [];
      case 'collide':
        await database.session(async em => {
          started();
          await note(em, unit);
          await em.execute('insert into thing (id, unit) values (?, ?)', ['the same', unit]);
          await em.execute('insert into thing (id, unit) values (?, ?)', ['the same', unit]);
        }, options);
        return [];
      case 'swallow':
        await database.session(async em => {
          started();
          await note(em, unit);
          await em.execute('insert into thing (id, unit) values (?, ?)', ['the same', unit]);
          await em.execute('insert into thing (id, unit) values (?, ?)', ['the same', unit]).catch(() => undefined);
        }, options);
        return [];
      case 'end by hand':
        await database.session(async em => {
          started();
          await note(em, unit);
          await em.execute('commit');
        }, options);
        return [];
      case 'parts':
        await database.session(async em => {
          const run = started();
          await this.#workInParts(database, lists, unit, item(run));
          await note(em, unit);
        }, options);
        return [];
      case 'write read-only':
        await database.session(
          async em => {
            started();
            await readAll(em, ['list 1'], unit);
            await note(em, unit);
          },
          { ...options, readOnly: true },
        );
        return [];
      case 'fail':
        await database.session(async (em, session) => {
          started();
          say(session);
          await note(em, unit);
          throw new WorkFailed('the work fails');
        }, options);
        return [];
      case 'read own write': {
        const token = await database.session(
          async (em, session) => {
            const run = started();
            for (const key of lists) await put(em, key, item(run));
            await note(em, unit);
            return session;
          },
          { ...options, consistencyToken: true },
        );
        const reads = await database
          .read(em => readAll(em, lists, unit), { timeoutMs: 1_000, after: token.consistencyToken })
          .catch(() => undefined);
        const isSeen = (reads ?? []).every(({ items }) => items.includes(`${unit}.`));
        const isLost = this.#stage.history.stored.some(stored => stored.unit === unit && stored.lostAtMs !== undefined);
        if (reads !== undefined && token.consistencyToken !== undefined && !isSeen && !isLost)
          this.#stage.world.violate('a read after a commit sees it', `${unit} is not in ${JSON.stringify(reads)}`);
        return [];
      }
      case 'bulk':
        await database.session(async em => {
          const run = started();
          await database.bulkInsert(PartRow, this.#source(partsOf(unit, run)));
          await note(em, unit);
        }, options);
        return [];
      case 'bulk fails':
        await database.session(async em => {
          const run = started();
          await note(em, unit);
          await database.bulkInsert(PartRow, this.#failing(partsOf(unit, run)));
        }, options);
        return [];
      case 'batch':
        await database.batch(
          this.#source(Array.from({ length: partCount }, (_, at) => at)),
          async (em, chunk, { chunk: number }) => {
            if (number === 0) await note(em, unit);
            for (const at of chunk) em.create(PartRow, { id: `${unit}.${at}`, unit });
            // At the end, where the refusal of a conflict comes after some chunks.
            if (chunk.includes(partCount - 1)) for (const key of lists) await put(em, key, item(1));
          },
          { ...options, chunkSize: this.#random.integer(1, partCount) },
        );
        return [];
      case 'stream':
        return database.read(async em => {
          started();
          const rows = em
            .getKysely<Tables>()
            .selectFrom('list')
            .select(['key', 'items'])
            .where(sql<boolean>`${unit} <> ''`)
            .stream(this.#random.integer(1, 5));
          return this.#readStream(rows);
        }, options);
      default:
        throw new Error(`no such work: ${request.workload}`);
    }
  }

  /** Of what a unit stores: one that can be read again, or only once. */
  #source<Item>(items: readonly Item[]): BatchSource<Item> {
    const delayed = () => this.#delayed(items);
    return this.#random.pick<BatchSource<Item>>([items, delayed, delayed()]);
  }

  async *#delayed<Item>(items: readonly Item[]): AsyncGenerator<Item> {
    for (const item of items) {
      if (this.#random.chance(0.3)) await pause(this.#random.exponential(50));
      yield item;
    }
  }

  async *#failing<Item>(items: readonly Item[]): AsyncGenerator<Item> {
    yield* this.#delayed(items);
    throw new WorkFailed('the source fails');
  }

  /** To its end, or until it has seen enough. */
  async #readStream(rows: AsyncIterable<ReadList>): Promise<readonly ReadList[]> {
    const reads: ReadList[] = [];
    for await (const { key, items } of rows) {
      reads.push({ key, items });
      if (this.#random.chance(0.2)) await pause(this.#random.exponential(20));
      if (this.#random.chance(0.05)) return reads;
    }
    const seen = new Set(reads.map(({ key }) => key));
    const missing = listNames(this.#plan.lists).filter(key => !seen.has(key));
    return [...reads, ...missing.map(key => ({ key, items: '' }))];
  }

  /** Two parts at the same time, of which one takes back what it has done. */
  async #workInParts(
    database: Instance['database'],
    lists: readonly string[],
    unit: string,
    item: string,
  ): Promise<void> {
    const [first = 'list 1', ...others] = lists;
    const undone = database
      .transaction(async em => {
        await put(em, first, `x${unit}.lost,`);
        await pause(this.#random.exponential(partMs));
        throw new WorkFailed('taken back');
      })
      .catch((error: unknown) => {
        if (!(error instanceof WorkFailed)) throw error;
      });
    const kept = database.transaction(async em => {
      await put(em, first, item);
      await pause(this.#random.exponential(partMs));
      for (const key of others) await put(em, key, item);
    });
    const failed = (await Promise.allSettled([undone, kept])).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }
}

const partMs = 10;

/** So many rows are stored at once. */
export const partCount = 6;

function partsOf(unit: string, run: number): readonly { readonly id: string; readonly unit: string }[] {
  return Array.from({ length: partCount }, (_, at) => ({ id: `${unit}.${run}.${at}`, unit }));
}

function listNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `list ${at + 1}`);
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

async function note(em: Em, unit: string): Promise<void> {
  await em.execute('insert into ledger (unit) values (?)', [unit]);
}

async function put(em: Em, key: string, item: string): Promise<void> {
  await em.execute(
    'insert into list (key, items) values (?, ?) on conflict (key) do update set items = list.items || excluded.items',
    [key, item],
  );
}

async function readList(em: Em, key: string, unit: string, forUpdate = false): Promise<ReadList> {
  const sql = `select items from list where key = ? and ? <> ''${forUpdate ? ' for update' : ''}`;
  const [row] = await em.execute<{ items: string }[]>(sql, [key, unit]);
  return { key, items: row?.items ?? '' };
}

async function readAll(em: Em, keys: readonly string[], unit: string): Promise<ReadList[]> {
  const reads: ReadList[] = [];
  for (const key of keys) reads.push(await readList(em, key, unit));
  return reads;
}

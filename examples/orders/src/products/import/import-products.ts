import type { DatabaseService, EntityManager } from '@keelson/database';
import { Product } from '../product.js';
import type { NewProduct } from '../product-input.js';
import type { ImportReport } from './import-report.js';
import type { ReadLine } from './read-products.js';

export interface ImportParts {
  readonly database: DatabaseService;
  /** Reads the file from its beginning. */
  readonly open: () => Promise<AsyncIterable<ReadLine>>;
  readonly report: ImportReport;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => void;
}

/** Lines that are looked up and stored together. */
const chunkSize = 5_000;

/**
 * Stores all products in one transaction, or none when a line is bad: then the rest is only checked, so that the report
 * lists what is wrong with it too. The memory is that of two chunks. When PostgreSQL restarts meanwhile, it begins again.
 *
 * @throws Unsound when a line is bad; and what the database throws. Nothing is stored then.
 */
export async function importAll({ database, open, report, signal, onProgress }: ImportParts): Promise<void> {
  const stored = await database.session(
    async em => {
      const products = async function* () {
        report.clear();
        yield* acceptable(em, await open(), report);
      };
      const { done } = await database.bulkInsert(Product, products, {
        chunkSize,
        onProgress: progress => onProgress(progress.done),
      });
      if (report.bad > 0) throw new Unsound();
      return done;
    },
    { name: 'orders.import', signal, timeoutMs: longestMs },
  );
  report.stored = stored;
}

/** Ends the session of an import with bad lines, which the report has. */
export class Unsound extends Error {}

/** Stores the products of `size` lines at a time, each time in a transaction of its own, and leaves bad lines out. */
export async function importInBatches(
  size: number,
  { database, open, report, signal, onProgress }: ImportParts,
): Promise<void> {
  for await (const batch of chunksOf(await open(), size)) {
    signal.throwIfAborted();
    const stored = await database.session(
      async em => {
        const { accepted, refused } = await judge(em, batch, new Set());
        const { done } = await database.bulkInsert(Product, accepted, { chunkSize: size });
        return { done, refused };
      },
      { name: 'orders.import-batch', signal, timeoutMs: longestMs },
    );
    for (const { line, problem } of stored.refused) report.refuse(line, problem);
    report.stored += stored.done;
    report.storedUpTo = batch.at(-1)?.line ?? report.storedUpTo;
    onProgress(report.stored);
  }
}

const longestMs = 3_600_000;

/** The products of good lines. After the first bad line there are none, and the rest is only checked. */
async function* acceptable(
  em: EntityManager,
  lines: AsyncIterable<ReadLine>,
  report: ImportReport,
): AsyncGenerator<NewProduct> {
  // Those of the chunk before may not be stored yet.
  let before = new Set<string>();
  for await (const chunk of chunksOf(lines, chunkSize)) {
    const { accepted, refused } = await judge(em, chunk, before);
    for (const { line, problem } of refused) report.refuse(line, problem);
    before = new Set(accepted.map(product => product.sku));
    if (report.bad === 0) yield* accepted;
  }
}

interface Judged {
  readonly accepted: readonly NewProduct[];
  readonly refused: readonly { readonly line: number; readonly problem: string }[];
}

/** A sku may be stored already, in this transaction too, or be in an earlier line. */
async function judge(em: EntityManager, lines: readonly ReadLine[], before: ReadonlySet<string>): Promise<Judged> {
  const skus = lines.flatMap(({ problem, ...line }) => ('product' in line ? [line.product.sku] : []));
  const taken = new Set(await takenSkus(em, skus));
  const seen = new Set(before);
  const accepted: NewProduct[] = [];
  const refused: { line: number; problem: string }[] = [];
  for (const each of lines) {
    if (each.problem !== undefined) refused.push(each);
    else if (taken.has(each.product.sku)) refused.push({ line: each.line, problem: 'sku is taken' });
    else if (seen.has(each.product.sku)) refused.push({ line: each.line, problem: 'sku is in an earlier line' });
    else {
      seen.add(each.product.sku);
      accepted.push(each.product);
    }
  }
  return { accepted, refused };
}

async function takenSkus(em: EntityManager, skus: readonly string[]): Promise<readonly string[]> {
  if (skus.length === 0) return [];
  const rows = await em.execute<{ sku: string }[]>(
    'select sku from products where sku in (select jsonb_array_elements_text(?::jsonb))',
    [JSON.stringify(skus)],
  );
  return rows.map(({ sku }) => sku);
}

async function* chunksOf<Item>(items: AsyncIterable<Item>, size: number): AsyncGenerator<readonly Item[]> {
  let chunk: Item[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

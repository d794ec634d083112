import type { FieldProblem } from '@keelson/core';
import type { EntityManager } from '@keelson/database';
import { LockMode } from '@mikro-orm/core';
import { Product } from './product.js';
import { productUnknown, stockTooLow } from './product-errors.js';

export interface StockLine {
  readonly sku: string;
  readonly quantity: number;
}

/** What an order needs to know of a product. */
export interface Price {
  readonly unitPriceCents: number;
}

interface TakenRow extends Price {
  readonly sku: string;
}

/**
 * Products that have enough lose what is wanted; all of them are locked, in the order of their skus. One statement, so that
 * an order waits for the database once.
 */
const takeEnough = `
  with wanted as (
    select sku, quantity from jsonb_to_recordset(?::jsonb) as wanted (sku text, quantity integer)
  ), locked as (
    select sku from products where sku in (select sku from wanted) order by sku for update
  )
  update products set stock = products.stock - wanted.quantity
  from wanted join locked using (sku)
  where products.sku = wanted.sku and products.stock >= wanted.quantity
  returning products.sku, products.unit_price_cents as "unitPriceCents"`;

/**
 * Takes all of `lines` out of stock, and returns the prices by their skus. When it throws, the transaction is to be rolled back.
 *
 * The products are locked until its end, always in the order of their skus: however many orders want the same products, no
 * piece is sold twice, and no two orders wait for each other. Entities that `em` has loaded are not changed.
 *
 * @param pathOf the JSON Pointer of a line, for the entries of the errors.
 * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW, with one entry for each line that fails.
 */
export async function takeStock(
  em: EntityManager,
  lines: readonly StockLine[],
  pathOf: (index: number) => string,
): Promise<ReadonlyMap<string, Price>> {
  const wanted = quantities(lines);
  const taken = await em.execute<TakenRow[]>(takeEnough, [JSON.stringify(wanted)]);
  const prices = new Map(taken.map(({ sku, unitPriceCents }) => [sku, { unitPriceCents }]));
  if (prices.size < wanted.length) throw await refusal(em, lines, { taken: prices, pathOf });
  return prices;
}

/** Each sku once. */
function quantities(lines: readonly StockLine[]): readonly StockLine[] {
  const sums = new Map<string, number>();
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity);
  return [...sums].map(([sku, quantity]) => ({ sku, quantity }));
}

interface Refused {
  /** The products that had enough. */
  readonly taken: ReadonlyMap<string, unknown>;
  readonly pathOf: (index: number) => string;
}

/** Why not all of `lines` could be taken: the products that failed are as they were, and locked. */
async function refusal(em: EntityManager, lines: readonly StockLine[], { taken, pathOf }: Refused): Promise<Error> {
  const failed = lines.flatMap((line, index) => (taken.has(line.sku) ? [] : [{ ...line, path: pathOf(index) }]));
  const products = await em.find(Product, { sku: { $in: failed.map(({ sku }) => sku) } }, { refresh: true });
  const left = new Map(products.map(({ sku, stock }) => [sku, stock]));
  const unknowns: FieldProblem[] = [];
  const shortages: FieldProblem[] = [];
  for (const { sku, quantity, path } of failed) {
    const stock = left.get(sku);
    if (stock === undefined) unknowns.push({ path: `${path}/sku`, message: 'names no product' });
    else if (stock < quantity) {
      shortages.push({ path: `${path}/quantity`, message: 'is more than is in stock' });
    } else left.set(sku, stock - quantity);
  }
  return unknowns.length > 0 ? productUnknown([...unknowns, ...shortages]) : stockTooLow(shortages);
}

/** Gives back what `takeStock` has taken. Locks in the same order, and writes when `em` is flushed. */
export async function returnStock(em: EntityManager, lines: readonly StockLine[]): Promise<void> {
  const products = await lockProducts(em, new Set(lines.map(line => line.sku)));
  for (const { sku, quantity } of lines) {
    const product = products.get(sku);
    if (product !== undefined) product.stock += quantity;
  }
}

async function lockProducts(em: EntityManager, skus: ReadonlySet<string>): Promise<ReadonlyMap<string, Product>> {
  const products = await em.find(
    Product,
    { sku: { $in: [...skus] } },
    { orderBy: { sku: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE },
  );
  return new Map(products.map(product => [product.sku, product]));
}

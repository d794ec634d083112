import type { FieldProblem } from '@keelson/core';
import type { EntityManager } from '@keelson/database';
import { LockMode, sql } from '@mikro-orm/core';
import { Product } from './product.js';
import { productUnknown, stockTooLow } from './product-errors.js';

export interface StockLine {
  readonly sku: string;
  readonly quantity: number;
}

const unknown = 'names no product';
const tooLow = 'is more than there is in stock';

/**
 * Takes pieces out of stock, in one statement: however many do it at once, no piece is given twice.
 *
 * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW.
 */
export async function takeStock(em: EntityManager, { sku, quantity }: StockLine): Promise<void> {
  const enough = { sku, stock: { $gte: quantity } };
  if ((await em.nativeUpdate(Product, enough, { stock: sql<number>`stock - ${quantity}` })) === 1) return;
  const exists = (await em.count(Product, { sku })) === 1;
  throw exists
    ? stockTooLow([{ path: '/quantity', message: tooLow }])
    : productUnknown([{ path: '/sku', message: unknown }]);
}

/**
 * Takes all of `lines` or nothing. Writes when `em` is flushed.
 *
 * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW, with one entry for each line that fails.
 */
export async function takeStockForAll(em: EntityManager, lines: readonly StockLine[]): Promise<void> {
  const products = await lockProducts(em, new Set(lines.map(line => line.sku)));
  const unknowns: FieldProblem[] = [];
  const shortages: FieldProblem[] = [];
  lines.forEach(({ sku, quantity }, index) => {
    const product = products.get(sku);
    if (product === undefined) unknowns.push({ path: `/orders/${index}/sku`, message: unknown });
    else if (product.stock < quantity) shortages.push({ path: `/orders/${index}/quantity`, message: tooLow });
    else product.stock -= quantity;
  });
  if (unknowns.length > 0) throw productUnknown([...unknowns, ...shortages]);
  if (shortages.length > 0) throw stockTooLow(shortages);
}

export async function returnStock(em: EntityManager, { sku, quantity }: StockLine): Promise<void> {
  await em.nativeUpdate(Product, { sku }, { stock: sql<number>`stock + ${quantity}` });
}

/** All batches lock in the order of the skus, so that no two wait for each other. */
async function lockProducts(em: EntityManager, skus: ReadonlySet<string>): Promise<ReadonlyMap<string, Product>> {
  const products = await em.find(
    Product,
    { sku: { $in: [...skus] } },
    { orderBy: { sku: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE },
  );
  return new Map(products.map(product => [product.sku, product]));
}

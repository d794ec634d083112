import type { FieldProblem } from '@keelson/core';
import type { EntityManager } from '@keelson/database';
import { LockMode } from '@mikro-orm/core';
import { Product } from './product.js';
import { productUnknown, stockTooLow } from './product-errors.js';

export interface StockLine {
  readonly sku: string;
  readonly quantity: number;
}

/**
 * Takes all of `lines` out of stock, or nothing, and returns the products by their skus. Writes when `em` is flushed.
 *
 * The products are locked until then, always in the order of their skus: however many orders want the same products, no
 * piece is sold twice, and no two orders wait for each other.
 *
 * @param pathOf the JSON Pointer of a line, for the entries of the errors.
 * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW, with one entry for each line that fails.
 */
export async function takeStock(
  em: EntityManager,
  lines: readonly StockLine[],
  pathOf: (index: number) => string,
): Promise<ReadonlyMap<string, Product>> {
  const products = await lockProducts(em, new Set(lines.map(line => line.sku)));
  const unknowns: FieldProblem[] = [];
  const shortages: FieldProblem[] = [];
  lines.forEach(({ sku, quantity }, index) => {
    const product = products.get(sku);
    if (product === undefined) unknowns.push({ path: `${pathOf(index)}/sku`, message: 'names no product' });
    else if (product.stock < quantity) {
      shortages.push({ path: `${pathOf(index)}/quantity`, message: 'is more than there is in stock' });
    } else product.stock -= quantity;
  });
  if (unknowns.length > 0) throw productUnknown([...unknowns, ...shortages]);
  if (shortages.length > 0) throw stockTooLow(shortages);
  return products;
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

import { randomUUIDv7 } from 'node:crypto';
import { KeelsonError } from '@keelson/core';
import type { EntityManager } from '@keelson/database';
import { sql } from '@mikro-orm/core';
import { Order, Product } from './model.js';

export interface OrderLine {
  readonly productId: number;
  readonly quantity: number;
}

export async function place(em: EntityManager, line: OrderLine) {
  const { productId, quantity } = line;
  const enough = { id: productId, stock: { $gte: quantity } };
  const taken = await em.nativeUpdate(Product, enough, { stock: sql<number>`stock - ${quantity}` });
  if (taken === 0) throw stockTooLow();
  return create(em, line);
}

export function create(em: EntityManager, { productId, quantity }: OrderLine) {
  return em.create(Order, { id: randomUUIDv7(), productId, quantity, createdAt: new Date() });
}

export function productUnknown(): KeelsonError {
  return new KeelsonError({
    code: 'SHOP_PRODUCT_UNKNOWN',
    message: 'A request named a product that does not exist.',
    http: { status: 404, title: 'Product unknown', detail: 'No product has this id.' },
  });
}

function stockTooLow(): KeelsonError {
  return new KeelsonError({
    code: 'SHOP_STOCK_TOO_LOW',
    message: 'A request asked for more than is in stock.',
    http: { status: 409, title: 'Stock too low', detail: 'There is not enough in stock.' },
  });
}

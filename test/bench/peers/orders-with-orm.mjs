// What the two peers that use MikroORM do with it.
import { randomUUIDv7 } from 'node:crypto';
import { sql } from '@mikro-orm/core';
import { Order, Product } from './model.mjs';

export const findProduct = (em, id) => em.findOne(Product, { id: Number(id) });

export const listProducts = (em, limit) => em.find(Product, {}, { orderBy: { id: 'asc' }, limit: Number(limit) });

/** Undefined when there is not enough in stock. */
export const placeOrder = (em, line) =>
  em.transactional(async em => {
    const { productId, quantity } = line;
    const enough = { id: productId, stock: { $gte: quantity } };
    const taken = await em.nativeUpdate(Product, enough, { stock: sql`stock - ${quantity}` });
    return taken === 1 ? createOrder(em, line) : undefined;
  });

export const placeBatch = async (em, lines) => {
  await em.transactional(async em => {
    for (const line of lines) createOrder(em, line);
  });
  return { created: lines.length };
};

function createOrder(em, { productId, quantity }) {
  return em.create(Order, { id: randomUUIDv7(), productId, quantity, createdAt: new Date() }, { persist: true });
}

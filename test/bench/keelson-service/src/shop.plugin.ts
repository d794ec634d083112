import { randomUUIDv7 } from 'node:crypto';
import { definePlugin, HttpServer, KeelsonError } from '@keelson/core';
import { DatabaseModel, DatabaseService, type EntityManager } from '@keelson/database';
import { currentSession, repeatable } from '@keelson/http-express';
import { sql } from '@mikro-orm/core';
import { Router } from 'express';
import { model, Order, Product } from './model.js';

interface OrderLine {
  readonly productId: number;
  readonly quantity: number;
}

/** The service that the bench measures, with the routes written as the README teaches. */
export default definePlugin({
  name: 'shop',
  requires: [DatabaseService, HttpServer],
  register: ({ bind }) => void bind(DatabaseModel).toConstantValue(model),
  start({ container }) {
    container.get(HttpServer).router('/', shopRouter());
  },
});

function shopRouter(): Router {
  const router = Router();

  router.get('/products', async (request, response) => {
    const limit = Number(request.query.limit);
    response.json(await currentSession(request).find(Product, {}, { orderBy: { id: 'asc' }, limit }));
  });

  router.get('/products/:id', async (request, response) => {
    const product = await currentSession(request).findOne(Product, { id: Number(request.params.id) });
    if (product === null) throw productUnknown();
    response.json(product);
  });

  router.post(
    '/orders',
    repeatable(async (em, request) => ({ status: 201, body: await place(em, request.body) })),
  );

  router.post(
    '/batch',
    repeatable(async (em, request) => {
      const lines: readonly OrderLine[] = request.body.orders;
      for (const line of lines) create(em, line);
      return { status: 201, body: { created: lines.length } };
    }),
  );

  return router;
}

async function place(em: EntityManager, line: OrderLine) {
  const { productId, quantity } = line;
  const enough = { id: productId, stock: { $gte: quantity } };
  const taken = await em.nativeUpdate(Product, enough, { stock: sql<number>`stock - ${quantity}` });
  if (taken === 0) throw stockTooLow();
  return create(em, line);
}

function create(em: EntityManager, { productId, quantity }: OrderLine) {
  return em.create(Order, { id: randomUUIDv7(), productId, quantity, createdAt: new Date() });
}

function productUnknown(): KeelsonError {
  return new KeelsonError({
    code: 'SHOP_PRODUCT_UNKNOWN',
    message: 'A request named a product that does not exist.',
    http: { status: 404, title: 'Product unknown', detail: 'No product has this id.' },
  });
}

function stockTooLow(): KeelsonError {
  return new KeelsonError({
    code: 'SHOP_STOCK_TOO_LOW',
    message: 'A request asked for more than there is in stock.',
    http: { status: 409, title: 'Stock too low', detail: 'There is not enough in stock.' },
  });
}

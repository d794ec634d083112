import { definePlugin } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { HttpRoutes, route } from '@keelson/http';
import { z } from 'zod';
import { model, Product } from './model.js';
import { create, place, productUnknown } from './orders.js';

const positive = z.int().positive();
const line = z.object({ productId: positive, quantity: positive });
const product = z.object({
  id: positive,
  sku: z.string(),
  name: z.string(),
  priceCents: z.int(),
  stock: z.int(),
  updatedAt: z.iso.datetime(),
});
const order = z.object({ id: z.uuid(), productId: positive, quantity: positive, createdAt: z.iso.datetime() });

const routes = [
  route({
    method: 'get',
    path: '/products',
    query: z.object({ limit: z.coerce.number().pipe(positive) }),
    answers: { 200: z.array(product) },
    handle: async ({ em, query: { limit } }) => ({
      body: await em.find(Product, {}, { orderBy: { id: 'asc' }, limit }),
    }),
  }),
  route({
    method: 'get',
    path: '/products/:id',
    params: z.object({ id: z.coerce.number().pipe(positive) }),
    answers: { 200: product },
    handle: async ({ em, params: { id } }) => {
      const found = await em.findOne(Product, { id });
      if (found === null) throw productUnknown();
      return { body: found };
    },
  }),
  route({
    method: 'post',
    path: '/orders',
    body: line,
    answers: { 201: order },
    repeatable: true,
    handle: async ({ em, body }) => ({ status: 201, body: await place(em, body) }),
  }),
  route({
    method: 'post',
    path: '/batch',
    body: z.object({ orders: z.array(line) }),
    answers: { 201: z.object({ created: z.int() }) },
    repeatable: true,
    handle: ({ em, body }) => {
      for (const each of body.orders) create(em, each);
      return { status: 201, body: { created: body.orders.length } };
    },
  }),
];

/** The same service with routes that have schemas: for Express and for Fastify, by the configuration. */
export default definePlugin({
  name: 'shop',
  requires: [DatabaseService, HttpRoutes],
  register: ({ bind }) => void bind(DatabaseModel).toConstantValue(model),
  start({ container }) {
    container.get(HttpRoutes).mount('/', routes);
  },
});

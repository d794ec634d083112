import { definePlugin, HttpServer } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { currentSession, repeatable } from '@keelson/http-express';
import { Router } from 'express';
import { model, Product } from './model.js';
import { create, type OrderLine, place, productUnknown } from './orders.js';

/** The service that the bench measures, with the routes written as the README teaches. */
export default definePlugin({
  name: 'shop',
  requires: [DatabaseService, HttpServer],
  needsCapabilities: { http: ['express'] },
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

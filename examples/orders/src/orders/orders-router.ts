import { currentSession, repeatable } from '@keelson/http-express';
import { Router } from 'express';
import { parseInput } from '../input.js';
import type { OrderBook } from './order-book.js';
import { newOrder, newOrders, pageRequest } from './order-input.js';

/** Handlers that write are repeatable: they return their answer, and a restart of the database only delays it. */
export function ordersRouter(book: OrderBook): Router {
  const router = Router();

  router.post(
    '/',
    repeatable(async (em, request) => {
      const order = await book.place(em, parseInput(newOrder, request.body));
      return { status: 201, headers: { Location: `/orders/${order.id}` }, body: order };
    }),
  );

  router.post(
    '/batch',
    repeatable(async (em, request) => {
      const placed = await book.placeAll(em, parseInput(newOrders, request.body).orders);
      return { status: 201, body: { created: placed.length } };
    }),
  );

  router.get('/', async (request, response) => {
    response.json(await book.page(currentSession(request), parseInput(pageRequest, request.query)));
  });

  router.get('/:id', async (request, response) => {
    response.json(await book.find(currentSession(request), request.params.id));
  });

  router.post(
    '/:id/cancel',
    repeatable<{ id: string }>(async (em, request) => ({ body: await book.cancel(em, request.params.id) })),
  );

  return router;
}

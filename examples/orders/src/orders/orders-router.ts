import { currentSession } from '@keelson/http-express';
import { Router } from 'express';
import { parseInput } from '../input.js';
import type { OrderBook } from './order-book.js';
import { newOrder, newOrders, pageRequest } from './order-input.js';

export function ordersRouter(book: OrderBook): Router {
  const router = Router();

  router.post('/', async (request, response) => {
    const order = await book.place(currentSession(request), parseInput(newOrder, request.body));
    response.status(201).location(`/orders/${order.id}`).json(order);
  });

  router.post('/batch', async (request, response) => {
    const { orders } = parseInput(newOrders, request.body);
    const placed = await book.placeAll(currentSession(request), orders);
    response.status(201).json({ created: placed.length });
  });

  router.get('/', async (request, response) => {
    response.json(await book.page(currentSession(request), parseInput(pageRequest, request.query)));
  });

  router.get('/:id', async (request, response) => {
    response.json(await book.find(currentSession(request), request.params.id));
  });

  router.post('/:id/cancel', async (request, response) => {
    response.json(await book.cancel(currentSession(request), request.params.id));
  });

  return router;
}

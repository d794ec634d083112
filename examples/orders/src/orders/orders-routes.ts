import { type Route, route } from '@keelson/http';
import type { OrderBook } from './order-book.js';
import { newOrder, newOrders, pageRequest } from './order-input.js';
import { orderPage, orderView, placedOrders } from './order-views.js';

const location = { Location: 'The path of the order.' };
const refusals = { 404: 'No product has this sku.', 409: 'There is not enough in stock.' };
const unknownOrder = { 404: 'No order has this id.' };

/**
 * Routes that write are repeatable: a restart of the database only delays their answers. Those that a client must not do
 * twice are idempotent.
 */
export function ordersRoutes(book: OrderBook): readonly Route[] {
  return [
    route({
      method: 'post',
      path: '/',
      summary: 'Places an order',
      body: newOrder,
      answers: { 201: { body: orderView, headers: location } },
      problems: refusals,
      idempotent: true,
      handle: async ({ em, body }) => {
        const order = await book.place(em, body);
        return { status: 201, headers: { Location: `/orders/${order.id}` }, body: order };
      },
    }),
    route({
      method: 'post',
      path: '/batch',
      summary: 'Places many orders, or none',
      body: newOrders,
      answers: { 201: placedOrders },
      problems: refusals,
      idempotent: true,
      handle: async ({ em, body }) => {
        const placed = await book.placeAll(em, body.orders);
        return { status: 201, body: { created: placed.length } };
      },
    }),
    route({
      method: 'get',
      path: '/',
      summary: 'Lists orders, newest first',
      query: pageRequest,
      answers: { 200: orderPage },
      handle: async ({ em, query }) => ({ body: await book.page(em, query) }),
    }),
    route({
      method: 'get',
      path: '/:id',
      summary: 'Returns an order',
      answers: { 200: orderView },
      problems: unknownOrder,
      handle: async ({ em, params }) => ({ body: await book.find(em, params.id) }),
    }),
    route({
      method: 'post',
      path: '/:id/cancel',
      summary: 'Cancels an order and returns its stock',
      answers: { 200: orderView },
      problems: { ...unknownOrder, 409: 'The order was cancelled before.' },
      repeatable: true,
      handle: async ({ em, params }) => ({ body: await book.cancel(em, params.id) }),
    }),
  ];
}

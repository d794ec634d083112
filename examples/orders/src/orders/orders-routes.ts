import { type Route, route } from '@keelson/http';
import type { OrderBook } from './order-book.js';
import { newOrder, newOrders, type PageRequest, pageRequest } from './order-input.js';
import { orderPage, orderView, placedOrders, viewOf } from './order-views.js';

const location = { Location: 'The path of the order.' };
const refusals = { 404: 'No product has this sku.', 409: 'There is not enough in stock.' };
const unknownOrder = { 404: 'No order has this id.' };

const nextPage = { Link: 'The path of the next page, with rel="next"; not on the last page.' };

/**
 * Routes that write are repeatable: a restart of the database only delays their answers. Those that a client must not do
 * twice are idempotent.
 *
 * @param placed called in the session of each request that places orders.
 */
export function ordersRoutes(book: OrderBook, placed: () => void): readonly Route[] {
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
        const { lines, pathOf } = body;
        const order = await book.place(em, lines, pathOf);
        placed();
        return { status: 201, headers: { Location: `/orders/${order.id}` }, body: viewOf(order) };
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
        const orders = await book.placeAll(em, body.orders);
        placed();
        return { status: 201, body: { created: orders.length } };
      },
    }),
    route({
      method: 'get',
      path: '/',
      summary: 'Lists orders, newest first',
      query: pageRequest,
      answers: { 200: { body: orderPage, headers: nextPage } },
      handle: async ({ em, query }) => {
        const { items, next } = await book.page(em, query);
        const headers = next === null ? {} : { Link: `</orders?${queryOf({ ...query, after: next })}>; rel="next"` };
        return { headers, body: { items: items.map(viewOf), next } };
      },
    }),
    route({
      method: 'get',
      path: '/:id',
      summary: 'Returns an order',
      answers: { 200: orderView },
      problems: unknownOrder,
      handle: async ({ em, params }) => ({ body: viewOf(await book.find(em, params.id)) }),
    }),
    route({
      method: 'post',
      path: '/:id/cancel',
      summary: 'Cancels an order and returns its stock',
      answers: { 200: orderView },
      problems: { ...unknownOrder, 409: 'The order was cancelled before, or its payment has started.' },
      repeatable: true,
      handle: async ({ em, params }) => ({ body: viewOf(await book.cancel(em, params.id)) }),
    }),
  ];
}

function queryOf(page: PageRequest): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(page)) {
    if (value !== undefined) query.set(key, value instanceof Date ? value.toISOString() : String(value));
  }
  return query.toString();
}

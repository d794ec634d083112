import { Clock, definePlugin, HttpServer } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { z } from 'zod';
import { migrations } from './migrations/index.js';
import { Order } from './orders/order.js';
import { OrderBook } from './orders/order-book.js';
import { ordersRouter } from './orders/orders-router.js';
import { Product } from './products/product.js';
import { productsRouter } from './products/products-router.js';
import { welcome } from './welcome.js';

const options = z.strictObject({
  welcome: z.boolean().default(false).describe('Prints the address and three commands to try, once it listens.'),
});

/** The service: products with a stock, and orders that take from it. */
export default definePlugin<z.output<typeof options>>({
  name: 'orders',
  config: options,
  requires: [DatabaseService, HttpServer],

  register({ bind }) {
    bind(DatabaseModel).toConstantValue({ entities: [Product, Order], migrations });
    bind(OrderBook)
      .toResolvedValue(clock => new OrderBook(clock), [Clock])
      .inSingletonScope();
  },

  start({ container }) {
    const http = container.get(HttpServer);
    http.router('/products', productsRouter());
    http.router('/orders', ordersRouter(container.get(OrderBook)));
  },

  ready({ config, container, lifecycle }) {
    const { url } = container.get(HttpServer);
    if (!config.welcome || url === undefined) return;
    lifecycle.onPhase(phase => {
      // In a turn of its own: last on the screen, after the report of the start.
      if (phase === 'ready') setImmediate(() => process.stdout.write(welcome(url)));
    });
  },
});

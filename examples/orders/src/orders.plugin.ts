import { Clock, definePlugin, HttpClient, HttpServer } from '@keelson/core';
import { DatabaseModel } from '@keelson/database';
import { migrations } from './migrations/index.js';
import { Order } from './orders/order.js';
import { OrderBook } from './orders/order-book.js';
import { ordersRouter } from './orders/orders-router.js';
import manifest, { type OrdersOptions } from './orders.manifest.js';
import { PriceList } from './products/price-list.js';
import { Product } from './products/product.js';
import { productsRouter } from './products/products-router.js';
import { welcome } from './welcome.js';

/** The service: products with a stock, and orders that take from it. */
export default definePlugin<OrdersOptions>({
  ...manifest,

  register({ bind }) {
    bind(DatabaseModel).toConstantValue({ entities: [Product, Order], migrations });
    bind(OrderBook)
      .toResolvedValue(clock => new OrderBook(clock), [Clock])
      .inSingletonScope();
  },

  start({ config, container, clock, lifecycle, logger }) {
    const http = container.get(HttpServer);
    const client = container.isBound(HttpClient) ? container.get(HttpClient) : undefined;
    http.router('/products', productsRouter(new PriceList(client?.target('prices'), clock, logger)));
    http.router('/orders', ordersRouter(container.get(OrderBook)));
    return {
      ready() {
        const { url } = http;
        if (!config.welcome || url === undefined) return;
        lifecycle.onPhase(phase => {
          // In a turn of its own: last on the screen, after the start report.
          if (phase === 'ready') setImmediate(() => process.stdout.write(welcome(url)));
        });
      },
    };
  },
});

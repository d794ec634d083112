import { Clock, definePlugin, HttpClient, HttpServer } from '@keelson/core';
import { DatabaseModel } from '@keelson/database';
import { HttpRoutes } from '@keelson/http';
import { migrations } from './migrations/index.js';
import { Order } from './orders/order.js';
import { OrderBook } from './orders/order-book.js';
import { ordersRoutes } from './orders/orders-routes.js';
import manifest, { type OrdersOptions } from './orders.manifest.js';
import { PriceList } from './products/price-list.js';
import { Product } from './products/product.js';
import { productsRoutes } from './products/products-routes.js';
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
    const routes = container.get(HttpRoutes);
    const client = container.isBound(HttpClient) ? container.get(HttpClient) : undefined;
    routes.mount('/products', productsRoutes(new PriceList(client?.target('prices'), clock, logger)));
    routes.mount('/orders', ordersRoutes(container.get(OrderBook)));
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

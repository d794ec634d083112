import { definePlugin, HealthService, HttpClient, HttpServer, type HttpTarget } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { HttpRoutes } from '@keelson/http';
import { migrations } from './migrations/index.js';
import { Order, OrderLine } from './orders/order.js';
import { OrderBook } from './orders/order-book.js';
import { ordersRoutes } from './orders/orders-routes.js';
import manifest, { type OrdersOptions } from './orders.manifest.js';
import { DuePayments } from './payments/due-payments.js';
import { PaymentJob } from './payments/payment-job.js';
import { PaymentService } from './payments/payment-service.js';
import { PriceList } from './products/price-list.js';
import { Product } from './products/product.js';
import { productsRoutes } from './products/products-routes.js';
import { welcome } from './welcome.js';

/** The service: products with a stock, orders that take from it, and their payments. */
export default definePlugin<OrdersOptions>({
  ...manifest,

  register({ bind }) {
    bind(DatabaseModel).toConstantValue({ entities: [Product, Order, OrderLine], migrations });
  },

  start({ config, container, clock, lifecycle, logger, service, defer }) {
    const http = container.get(HttpServer);
    const routes = container.get(HttpRoutes);
    const database = container.get(DatabaseService);
    const client = container.isBound(HttpClient) ? container.get(HttpClient) : undefined;
    const paymentTarget = client?.target('payments');
    const job = paymentTarget && paymentJob(paymentTarget);
    const book = new OrderBook({ clock, takesPayments: job !== undefined });
    /** After the commit, and outside of it: a rolled back order is never charged. */
    const placed = () => database.currentSession()?.onCommit(() => job?.wake());

    let check: Disposable | undefined;
    defer(() => check?.[Symbol.dispose]());

    routes.mount('/products', productsRoutes(new PriceList(client?.target('prices'), clock, logger)));
    routes.mount('/orders', ordersRoutes(book, placed));

    return {
      ready() {
        if (job === undefined) logger.info('no payment service is configured: orders stay placed');
        else {
          const health = container.get(HealthService);
          check = health.register({ name: 'payments', critical: false, check: async () => job.health() });
          job.start();
        }
        const { url } = http;
        if (!config.welcome || url === undefined) return;
        lifecycle.onPhase(phase => {
          // In a turn of its own: last on the screen, after the start report.
          if (phase === 'ready') setImmediate(() => process.stdout.write(welcome(service, url)));
        });
      },
      async drain({ signal, waitingFor }) {
        waitingFor('payments that are being settled');
        await job?.stop(signal);
      },
      inspect: () => ({ facts: { payments: job === undefined ? 'not configured' : job.facts } }),
    };

    function paymentJob(target: HttpTarget): PaymentJob {
      const { payments: options } = config;
      const payments = new PaymentService(target, clock);
      return new PaymentJob({ due: new DuePayments(database), payments, clock, logger, ...options });
    }
  },
});

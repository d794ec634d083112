// Fastify and pg by hand: the floor.
import fastify from 'fastify';
import { settings } from './settings.mjs';
import { findProduct, listProducts, placeBatch, placeOrder, pool } from './store.mjs';

const app = fastify({ forceCloseConnections: true });

app.get('/healthz', async () => {
  await pool.query('select 1');
  return '';
});

app.get('/products', request => listProducts(request.query.limit));

app.get('/products/:id', async (request, reply) => {
  const product = await findProduct(request.params.id);
  return product ?? reply.code(404).send();
});

app.post('/orders', async (request, reply) => {
  const order = await placeOrder(request.body);
  if (order === undefined) return reply.code(409).send();
  reply.code(201);
  return order;
});

app.post('/batch', async (request, reply) => {
  reply.code(201);
  return placeBatch(request.body.orders);
});

await app.listen({ port: settings.port, host: settings.host });

process.once('SIGTERM', () => app.close().then(() => pool.end()));

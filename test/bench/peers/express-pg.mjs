// Express 5 and pg by hand.
import express from 'express';
import { settings } from './settings.mjs';
import { findProduct, listProducts, placeBatch, placeOrder, pool } from './store.mjs';

const app = express();

app.get('/healthz', async (_request, response) => {
  await pool.query('select 1');
  response.end();
});

app.use(express.json());

app.get('/products', async (request, response) => {
  response.json(await listProducts(request.query.limit));
});

app.get('/products/:id', async (request, response) => {
  const product = await findProduct(request.params.id);
  if (product === undefined) response.status(404).end();
  else response.json(product);
});

app.post('/orders', async (request, response) => {
  const order = await placeOrder(request.body);
  if (order === undefined) response.status(409).end();
  else response.status(201).json(order);
});

app.post('/batch', async (request, response) => {
  response.status(201).json(await placeBatch(request.body.orders));
});

const server = app.listen(settings.port, settings.host);

process.once('SIGTERM', () => {
  server.close(() => pool.end());
  server.closeAllConnections();
});

// Express 5 and MikroORM, with a RequestContext for each request, as the guide of MikroORM shows it.
import { MikroORM, RequestContext } from '@mikro-orm/postgresql';
import express from 'express';
import { ormOptions } from './model.mjs';
import { findProduct, listProducts, placeBatch, placeOrder } from './orders-with-orm.mjs';
import { settings } from './settings.mjs';

const orm = await MikroORM.init(ormOptions);
await orm.connect();
const app = express();

app.get('/healthz', async (_request, response) => {
  response.status((await orm.isConnected()) ? 200 : 503).end();
});

app.use(express.json());
app.use((_request, _response, next) => RequestContext.create(orm.em, next));

app.get('/products', async (request, response) => {
  response.json(await listProducts(orm.em, request.query.limit));
});

app.get('/products/:id', async (request, response) => {
  const product = await findProduct(orm.em, request.params.id);
  if (product === null) response.status(404).end();
  else response.json(product);
});

app.post('/orders', async (request, response) => {
  const order = await placeOrder(orm.em, request.body);
  if (order === undefined) response.status(409).end();
  else response.status(201).json(order);
});

app.post('/batch', async (request, response) => {
  response.status(201).json(await placeBatch(orm.em, request.body.orders));
});

const server = app.listen(settings.port, settings.host);

process.once('SIGTERM', () => {
  server.close(() => orm.close());
  server.closeAllConnections();
});

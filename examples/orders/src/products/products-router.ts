import { currentSession } from '@keelson/http-express';
import { Router } from 'express';
import { parseInput } from '../input.js';
import { Product } from './product.js';
import { productUnknown } from './product-errors.js';
import { newProduct } from './product-input.js';

/** A sku that is taken is answered with 409 by the primary key: the insert fails before the answer leaves. */
export function productsRouter(): Router {
  const router = Router();

  router.post('/', (request, response) => {
    const product = currentSession(request).create(Product, parseInput(newProduct, request.body));
    response
      .status(201)
      .location(`/products/${encodeURIComponent(product.sku)}`)
      .json(product);
  });

  router.get('/:sku', async (request, response) => {
    const product = await currentSession(request).findOne(Product, { sku: request.params.sku });
    if (product === null) throw productUnknown();
    response.json(product);
  });

  return router;
}

import { currentSession, repeatable } from '@keelson/http-express';
import { Router } from 'express';
import { parseInput } from '../input.js';
import { Product } from './product.js';
import { productUnknown } from './product-errors.js';
import { newProduct } from './product-input.js';

/** A sku that is taken is answered with 409 by the primary key: the insert fails before the answer leaves. */
export function productsRouter(): Router {
  const router = Router();

  router.post(
    '/',
    repeatable(async (em, request) => {
      const product = em.create(Product, parseInput(newProduct, request.body));
      return { status: 201, headers: { Location: `/products/${encodeURIComponent(product.sku)}` }, body: product };
    }),
  );

  router.get('/:sku', async (request, response) => {
    const product = await currentSession(request).findOne(Product, { sku: request.params.sku });
    if (product === null) throw productUnknown();
    response.json(product);
  });

  return router;
}

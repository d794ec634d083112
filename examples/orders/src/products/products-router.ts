import { currentSession, repeatable } from '@keelson/http-express';
import { Router } from 'express';
import { parseInput } from '../input.js';
import type { PriceList } from './price-list.js';
import { Product } from './product.js';
import { productUnknown } from './product-errors.js';
import { newProduct } from './product-input.js';

/** The primary key makes a taken sku a 409: the insert fails before the answer is sent. */
export function productsRouter(prices: PriceList): Router {
  const router = Router();

  router.post(
    '/',
    repeatable(async (em, request) => {
      const product = em.create(Product, parseInput(newProduct, request.body));
      return { status: 201, headers: { Location: `/products/${encodeURIComponent(product.sku)}` }, body: product };
    }),
  );

  // The price first: no transaction is open during the request to another service.
  router.get('/:sku', async (request, response) => {
    const { sku } = request.params;
    const price = await prices.priceOf(sku);
    const product = await currentSession(request).findOne(Product, { sku });
    if (product === null) throw productUnknown();
    response.json({ sku, stock: product.stock, ...(price !== undefined && { price }) });
  });

  return router;
}

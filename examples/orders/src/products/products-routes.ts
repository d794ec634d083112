import { isQueryError } from '@keelson/database';
import { type Route, route } from '@keelson/http';
import type { PriceList } from './price-list.js';
import { Product } from './product.js';
import { productUnknown, skuTaken } from './product-errors.js';
import { newProduct } from './product-input.js';
import { pricedProductView, productView } from './product-views.js';

export function productsRoutes(prices: PriceList): readonly Route[] {
  return [
    route({
      method: 'post',
      path: '/',
      summary: 'Adds a product',
      body: newProduct,
      answers: { 201: { body: productView, headers: { Location: 'The path of the product.' } } },
      problems: { 409: 'A product has this sku already.' },
      repeatable: true,
      mapError: error => (isQueryError(error, { kind: 'unique', constraint: 'products_pkey' }) ? skuTaken() : error),
      handle: ({ em, body }) => {
        const product = em.create(Product, body);
        return { status: 201, headers: { Location: `/products/${encodeURIComponent(product.sku)}` }, body: product };
      },
    }),
    // The price first: no transaction is open during the request to another service.
    route({
      method: 'get',
      path: '/:sku',
      summary: 'Returns a product, with its price where there is a price service',
      answers: { 200: pricedProductView },
      problems: { 404: 'No product has this sku.' },
      handle: async ({ em, params: { sku } }) => {
        const price = await prices.priceOf(sku);
        const product = await em.findOne(Product, { sku });
        if (product === null) throw productUnknown();
        const { stock, unitPriceCents } = product;
        return { body: { sku, stock, unitPriceCents, ...(price !== undefined && { price }) } };
      },
    }),
  ];
}

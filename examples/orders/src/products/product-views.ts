import { z } from 'zod';
import { price } from './price-list.js';

/** A product as clients see it. */
export const productView = z.strictObject({ sku: z.string(), stock: z.int() }).meta({ id: 'Product' });

export const pricedProductView = productView
  .extend({ price: price.nullable().optional().meta({ description: 'Null when the price service does not answer.' }) })
  .meta({ id: 'PricedProduct' });

import { z } from 'zod';
import { price } from './price-list.js';

/** A product as clients see it. */
export const productView = z
  .strictObject({ sku: z.string(), stock: z.int(), unitPriceCents: z.int() })
  .meta({ id: 'Product' });

export const pricedProductView = productView
  .extend({
    price: price.nullable().optional().meta({
      description:
        'The price from the price service; null when the service does not answer. Orders pay unitPriceCents.',
    }),
  })
  .meta({ id: 'PricedProduct' });

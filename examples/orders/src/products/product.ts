import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const Product = defineEntity({
  name: 'Product',
  tableName: 'products',
  properties: {
    sku: p.text().primary(),
    /** Pieces that can still be ordered. */
    stock: p.integer(),
    /** What an order pays for one piece, in cents. */
    unitPriceCents: p.integer().default(0),
  },
});

export type Product = InferEntity<typeof Product>;

import type { DatabaseModel } from '@keelson/database';
import { defineEntity, p } from '@mikro-orm/core';

export const Product = defineEntity({
  name: 'Product',
  tableName: 'products',
  properties: {
    id: p.integer().primary(),
    sku: p.text(),
    name: p.text(),
    priceCents: p.integer(),
    stock: p.integer(),
    updatedAt: p.datetime(),
  },
});

export const Order = defineEntity({
  name: 'Order',
  tableName: 'orders',
  properties: {
    id: p.uuid().primary(),
    productId: p.integer(),
    quantity: p.integer(),
    createdAt: p.datetime(),
  },
});

/** Without migrations: the bench makes the tables, for all services alike. */
export const model: DatabaseModel = { entities: [Product, Order] };

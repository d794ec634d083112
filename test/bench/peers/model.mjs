// The entities of the two peers that use MikroORM: the same as those of the Keelson service.
import { defineEntity, p } from '@mikro-orm/core';
import { settings } from './settings.mjs';

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

export const ormOptions = {
  entities: [Product, Order],
  clientUrl: settings.databaseUrl,
  pool: { max: settings.poolMax },
  ...(settings.ssl !== undefined && { driverOptions: { ssl: settings.ssl } }),
};

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const Order = defineEntity({
  name: 'Order',
  tableName: 'orders',
  properties: {
    /** UUID version 7: begins with the time, so that sorting by it sorts by age. */
    id: p.uuid().primary(),
    sku: p.text(),
    quantity: p.integer(),
    status: p.enum(['placed', 'cancelled'] as const),
    createdAt: p.datetime(),
  },
});

export type Order = InferEntity<typeof Order>;

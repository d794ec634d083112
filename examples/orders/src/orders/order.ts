import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { orderStatuses } from './order-status.js';

export const Order = defineEntity({
  name: 'Order',
  tableName: 'orders',
  properties: {
    /** From `newId`: sorting by it sorts by age. */
    id: p.uuid().primary(),
    status: p.enum(orderStatuses),
    /** The sum of the lines. A whole number of cents: it is exact. */
    totalCents: p.bigint('number'),
    createdAt: p.datetime(),
    /** When the payment is looked at next; null when there is nothing to settle. */
    paymentDueAt: p.datetime().nullable(),
    /** How often the payment service was asked. */
    paymentAttempts: p.integer().default(0),
    lines: () => p.oneToMany(OrderLine).mappedBy('order').orderBy({ position: 'asc' }),
  },
});

export const OrderLine = defineEntity({
  name: 'OrderLine',
  tableName: 'order_lines',
  properties: {
    order: () => p.manyToOne(Order).primary(),
    /** 1 for the first line of its order. */
    position: p.integer().primary(),
    sku: p.text(),
    quantity: p.integer(),
    /** The price of one piece when the order was placed, in cents. */
    unitPriceCents: p.integer(),
  },
});

export type Order = InferEntity<typeof Order>;
export type OrderLine = InferEntity<typeof OrderLine>;

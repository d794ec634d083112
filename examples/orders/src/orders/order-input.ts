import { z } from 'zod';
import { sku } from '../products/product-input.js';
import { wholeNumber } from '../whole-number.js';

export const newOrder = z.strictObject({ sku, quantity: wholeNumber(1, 10_000) });

export const newOrders = z.strictObject({
  orders: z
    .array(newOrder, 'must be a list of orders')
    .min(1, 'must hold at least one order')
    .max(1_000, 'must hold at most 1000 orders'),
});

const limit = 'must be a whole number from 1 to 100';

export const pageRequest = z.strictObject({
  limit: z.coerce.number(limit).int(limit).min(1, limit).max(100, limit).default(20),
  after: z.uuid('must be the "next" of the page before').optional(),
});

export type NewOrder = z.output<typeof newOrder>;
export type PageRequest = z.output<typeof pageRequest>;

const orderId = z.uuid();

/** No order can have an id of another form, and PostgreSQL would refuse to compare with one. */
export const isOrderId = (id: string): boolean => orderId.safeParse(id).success;

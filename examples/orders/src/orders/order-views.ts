import { z } from 'zod';
import type { Order, OrderLine } from './order.js';
import { orderStatuses } from './order-status.js';

const lineView = z
  .strictObject({
    sku: z.string(),
    quantity: z.int(),
    unitPriceCents: z.int().meta({ description: 'The price of one piece when the order was placed.' }),
  })
  .meta({ id: 'OrderLine' });

/** An order as clients see it. */
export const orderView = z
  .strictObject({
    id: z.uuid(),
    status: z.enum(orderStatuses),
    lines: z.array(lineView),
    totalCents: z.int().meta({ description: 'The sum of the lines.' }),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Order' });

export const orderPage = z.strictObject({
  items: z.array(orderView),
  next: z.string().nullable().meta({ description: 'The "after" of the next page; null on the last.' }),
});

export const placedOrders = z.strictObject({ created: z.int().meta({ description: 'The number of orders.' }) });

export type OrderView = z.output<typeof orderView>;

/** `lines` of the order must be loaded. */
export function viewOf({ id, status, lines, totalCents, createdAt }: Order): OrderView {
  return { id, status, lines: lines.map(lineViewOf), totalCents, createdAt: createdAt.toISOString() };
}

function lineViewOf({ sku, quantity, unitPriceCents }: OrderLine): OrderView['lines'][number] {
  return { sku, quantity, unitPriceCents };
}

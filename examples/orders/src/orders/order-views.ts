import { z } from 'zod';

/** An order as clients see it. */
export const orderView = z
  .strictObject({
    id: z.uuid(),
    sku: z.string(),
    quantity: z.int(),
    status: z.enum(['placed', 'cancelled']),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Order' });

export const orderPage = z.strictObject({
  items: z.array(orderView),
  next: z.uuid().nullable().meta({ description: 'The "after" of the next page; null on the last.' }),
});

export const placedOrders = z.strictObject({ created: z.int().meta({ description: 'The number of orders.' }) });

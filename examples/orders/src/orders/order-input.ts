import { z } from 'zod';
import { sku } from '../products/product-input.js';
import { wholeNumber } from '../whole-number.js';
import { orderStatuses } from './order-status.js';
import { idIn } from './page-cursor.js';

const quantity = wholeNumber(1, 10_000);

const newLine = z.strictObject({ sku, quantity });

const lines = z
  .array(newLine, 'must be a list of lines')
  .min(1, 'must have at least one line')
  .max(100, 'must have at most 100 lines')
  .superRefine((given, context) => {
    const seen = new Set<string>();
    given.forEach((line, index) => {
      if (seen.has(line.sku))
        context.addIssue({ code: 'custom', path: [index, 'sku'], message: 'is in an earlier line' });
      seen.add(line.sku);
    });
  });

/** One line may be written without a list. All problems are reported at once, so each rule runs whatever another found. */
export const newOrder = z
  .strictObject({ lines: lines.optional(), sku: sku.optional(), quantity: quantity.optional() })
  .refine(given => given.lines === undefined || (given.sku ?? given.quantity) === undefined, {
    path: ['lines'],
    message: 'cannot be combined with sku and quantity',
    when: isObject,
  })
  .refine(given => given.lines !== undefined || given.sku !== undefined, {
    path: ['sku'],
    message: 'is missing; an order of several products has lines',
    when: isObject,
  })
  .refine(given => given.lines !== undefined || given.quantity !== undefined, {
    path: ['quantity'],
    message: 'is missing; an order of several products has lines',
    when: isObject,
  })
  .transform(given => ({
    lines: given.lines ?? [{ sku: given.sku ?? '', quantity: given.quantity ?? 0 }],
    /** The JSON Pointer of a line, as the client has written it. */
    pathOf: (index: number) => (given.lines === undefined ? '' : `/lines/${index}`),
  }))
  .meta({
    description: 'Either `lines`, or `sku` and `quantity` for an order of one line.',
    examples: [{ lines: [{ sku: 'cup', quantity: 2 }] }],
  });

function isObject({ value }: z.core.ParsePayload): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const newOrders = z.strictObject({
  orders: z
    .array(newLine, 'must be a list of orders')
    .min(1, 'must have at least one order')
    .max(1_000, 'must have at most 1000 orders'),
});

const limit = 'must be a whole number from 1 to 100';
const time = 'must be a time such as 2026-01-31T12:00:00Z';

const timeInQuery = z.iso.datetime({ offset: true, error: time }).transform(text => new Date(text));

export const pageRequest = z
  .strictObject({
    limit: z.coerce.number(limit).int(limit).min(1, limit).max(100, limit).default(20),
    after: z
      .string('must be the "next" of the previous page')
      .refine(text => idIn(text) !== undefined, 'must be the "next" of the previous page')
      .optional()
      .meta({ description: 'The "next" of the previous page.' }),
    status: z.enum(orderStatuses, `must be one of ${orderStatuses.join(', ')}`).optional(),
    product: sku.optional().meta({ description: 'The sku of a product: orders with a line of it.' }),
    since: timeInQuery.optional().meta({ description: 'Orders placed at this time or later.' }),
    until: timeInQuery.optional().meta({ description: 'Orders placed before this time.' }),
  })
  .refine(({ since, until }) => since === undefined || until === undefined || since < until, {
    path: ['until'],
    message: 'must be later than since',
  });

export type NewLine = z.output<typeof newLine>;
export type PageRequest = z.output<typeof pageRequest>;

const orderId = z.uuid();

/** No order can have an id of another form, and PostgreSQL would refuse to compare with one. */
export const isOrderId = (id: string): boolean => orderId.safeParse(id).success;

import { z } from 'zod';
import { wholeNumber } from '../whole-number.js';

export const sku = z
  .string('must be a text')
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, colons, underscores or dashes');

export const stock = wholeNumber(0, 1_000_000_000);
export const unitPriceCents = wholeNumber(0, 100_000_000);

export const newProduct = z.strictObject({
  sku,
  stock,
  unitPriceCents: unitPriceCents.default(0).meta({ description: 'The price of one piece. Default 0.' }),
});

export type NewProduct = z.output<typeof newProduct>;

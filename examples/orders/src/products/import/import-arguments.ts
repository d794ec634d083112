import { z } from 'zod';

export const importArguments = z.strictObject({
  file: z.string().min(1).describe('a CSV file with the columns sku, stock and unitPriceCents'),
  batch: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('store this many products at a time and skip bad lines; without it, all products or none'),
});

export type ImportArguments = z.output<typeof importArguments>;

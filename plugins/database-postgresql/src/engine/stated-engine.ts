import { databaseCapabilities, engineProducts, isolationLevels, poolers } from '@keelson/database/contract';
import { z } from 'zod';

/** What the configuration says of the engine. */
export const engineOptions = z
  .union([
    z.literal('auto'),
    z.strictObject({
      product: z.enum(engineProducts).optional().describe('The product, if Keelson cannot detect it.'),
      pooler: z.enum(poolers).optional().describe('The pooler between the service and its server.'),
      pooling: z
        .enum(['session', 'transaction'])
        .optional()
        .describe('How long the pooler lends a connection of the server. Default with a pooler: transaction.'),
      conflicts: z
        .enum(['rare', 'normal'])
        .optional()
        .describe('`normal`: a unit that runs again after a conflict (40001) is logged at debug.'),
      isolationLevels: z
        .array(z.enum(isolationLevels))
        .min(1)
        .optional()
        .describe('The detected isolation levels that may be used.'),
      capabilities: z
        .partialRecord(z.enum(databaseCapabilities), z.boolean())
        .optional()
        .describe('false: the feature is not used. true: it is used if Keelson can neither detect nor rule it out.'),
    }),
  ])
  .default('auto')
  .describe(
    'The product and its features: detected when the service connects (`auto`), or restricted and completed here.',
  );

export type StatedEngine = Exclude<z.output<typeof engineOptions>, 'auto'>;

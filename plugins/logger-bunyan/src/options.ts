import { commonLoggerOptions } from '@keelson/core/logging/options';
import { z } from 'zod';

export const loggerBunyanOptions = z.strictObject({
  ...commonLoggerOptions,
  format: z
    .enum(['json', 'pretty'])
    .optional()
    .describe('`json`: bunyan records, one a line. `pretty`: for people. Default: pretty on a terminal, else json.'),
});

export type LoggerBunyanOptions = z.infer<typeof loggerBunyanOptions>;

import { commonLoggerOptions } from '@keelson/core/logging/options';
import { z } from 'zod';

export const loggerPinoOptions = z.strictObject({
  ...commonLoggerOptions,
  format: z
    .enum(['json', 'pretty'])
    .optional()
    .describe('`json`: pino records, one a line. `pretty`: for people. Default: pretty on a terminal, else json.'),
});

export type LoggerPinoOptions = z.infer<typeof loggerPinoOptions>;

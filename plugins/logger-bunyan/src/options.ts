import { logLevels } from '@keelson/core';
import { z } from 'zod';

export const loggerBunyanOptions = z.strictObject({
  name: z.string().min(1).optional().describe('The `name` of every line. Left out, the name of the service.'),
  level: z
    .enum(logLevels)
    .default('info')
    .meta({ reloadable: true })
    .describe('The lowest level that is written: trace, debug, info, warn, error or fatal.'),
  format: z
    .enum(['json', 'pretty'])
    .optional()
    .describe(
      '`json`: bunyan records, one a line. `pretty`: for eyes. Left out, pretty on a terminal and json elsewhere.',
    ),
  stream: z.enum(['stdout', 'stderr']).default('stdout').describe('Where lines are written.'),
  secretKeys: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Keys whose values are replaced by [masked] at any depth, beyond password, token, cookie and their kind.',
    ),
  maxBufferedBytes: z
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(16_777_216)
    .describe('Size of the buffer for a slow reader, in bytes; further lines are dropped and counted.'),
});

export type LoggerBunyanOptions = z.infer<typeof loggerBunyanOptions>;

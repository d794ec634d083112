import { z } from 'zod';
import { logLevels } from '../contract/slots/logger.js';

const level = z.enum(logLevels);

/** What every logger plugin takes in its configuration, next to its `format`. */
export const commonLoggerOptions = {
  name: z.string().min(1).optional().describe('The `name` of every line. Default: the name of the service.'),
  level: level
    .default('info')
    .meta({ reloadable: true })
    .describe('The lowest level that is written: trace, debug, info, warn, error or fatal.'),
  levels: z
    .record(z.string(), level)
    .default({})
    .meta({ reloadable: true })
    .describe('The lowest level of one plugin, by its key in the configuration: { database: debug }.'),
  repeats: z
    .union([
      z.literal(false),
      z.strictObject({
        lines: z
          .int()
          .min(1)
          .max(1_000)
          .default(10)
          .describe('Largest number of lines of one failure in a period; further lines are only counted.'),
        periodMs: z
          .int()
          .min(100)
          .max(3_600_000)
          .default(10_000)
          .describe('How often the number of counted failures is written, in milliseconds.'),
      }),
    ])
    .prefault({})
    .describe('Sums up a repeated failure; false writes each line.'),
  stream: z.enum(['stdout', 'stderr']).default('stdout').describe('Where lines are written.'),
  secretKeys: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Keys whose values are replaced by [masked] at any depth, beyond password, token, cookie and similar ones.',
    ),
  maxBufferedBytes: z
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(16_777_216)
    .describe('Size of the buffer for a slow reader, in bytes; further lines are dropped and counted.'),
};

const commonSchema = z.object(commonLoggerOptions);

export type CommonLoggerOptions = z.output<typeof commonSchema>;

import { commonOptions } from '@keelson/database/contract';
import { z } from 'zod';

/** A database in the memory of the process. */
export const inMemory = 'memory://';

/** The configuration of the plugin. */
export const optionsSchema = z.strictObject({
  dataDir: z
    .string()
    .refine(isDataDir, `must be a folder, or ${inMemory}`)
    .default(inMemory)
    .describe(
      `The folder of the data, relative to the configuration. PGlite creates it when it is missing, but not its parent. ${inMemory} keeps nothing after a stop.`,
    ),
  ...commonOptions,
  acquireTimeoutMs: z.number().int().positive().default(5_000).describe('Longest wait for the one connection, in ms.'),
  maxWaiting: z
    .number()
    .int()
    .min(0)
    .default(1_000)
    .describe('Callers that may wait for the connection; one more is refused at once.'),
});

export type PgliteOptions = z.output<typeof optionsSchema>;

function isDataDir(value: string): boolean {
  return value === inMemory || (value.trim() !== '' && !value.includes('://'));
}

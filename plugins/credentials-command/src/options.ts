import { z } from 'zod';

export const commandOptions = z.strictObject({
  command: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      'The program and its arguments, each an item of the list; it runs without a shell. It prints only the password, or JSON with password, user and expiresAt.',
    ),
  timeoutMs: z.number().int().min(100).max(600_000).default(10_000).describe('Longest run of the command, in ms.'),
  refreshMs: z
    .number()
    .int()
    .min(1_000)
    .optional()
    .describe(
      'Age at which a credential without expiresAt is renewed, in ms. Default: it is renewed when it is refused.',
    ),
});

export type CommandOptions = z.output<typeof commandOptions>;

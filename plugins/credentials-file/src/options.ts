import { z } from 'zod';

export const fileOptions = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe(
      'The file: only the password in one line, or JSON with password, user and expiresAt. It is read again when it has changed.',
    ),
});

export type FileOptions = z.output<typeof fileOptions>;

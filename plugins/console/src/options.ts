import { z } from 'zod';

const token = z
  .string()
  .min(16, 'must have at least 16 characters')
  .max(512)
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without spaces')
  .meta({ secret: true });

const consoleUrl = z
  .string()
  .refine(
    text => URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol),
    'must be the http or https URL of a console, such as http://10.0.0.7:9000/console',
  );

const requests = z.strictObject({
  perSecond: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(20)
    .describe(
      'Largest number of requests in a second whose sessions, attempts and statements are recorded. All requests are counted.',
    ),
  kept: z
    .number()
    .int()
    .min(10)
    .max(1_000)
    .default(100)
    .describe(
      'Number of the latest requests in memory. The same number of failed or repeated requests is kept separately.',
    ),
  spans: z
    .number()
    .int()
    .min(10)
    .max(1_000)
    .default(60)
    .describe(
      'Largest number of sessions, attempts, statements and calls of one request in memory; further ones are only counted.',
    ),
});

export type RequestOptions = z.infer<typeof requests>;

const instance = z.strictObject({
  url: consoleUrl.describe('The URL of its console: http://10.0.0.7:9000/console.'),
  name: z.string().min(1).max(60).optional().describe('Its name on the page. Default: the host and port of the URL.'),
  token: token.optional().describe('The token of its console. Default: the token of this one.'),
});

export const consoleOptions = z.strictObject({
  token: token
    .optional()
    .describe(
      'What a user of the page, or a script, must present. Required when the admin port listens on an address beyond this machine.',
    ),
  loginLifetimeMs: z
    .number()
    .int()
    .min(60_000)
    .max(604_800_000)
    .default(43_200_000)
    .describe('How long a browser stays logged in, in milliseconds.'),
  requests: z
    .union([z.literal(false), requests])
    .prefault({})
    .describe('Keeps the latest requests with their spans, bounded; false keeps and counts none.'),
  sameMachine: z
    .boolean()
    .default(true)
    .describe('Whether the page shows other services of this user on this machine that have a console.'),
  instances: z
    .array(instance)
    .max(50)
    .default([])
    .describe('Further instances on the page: [{ url: "http://10.0.0.7:9000/console" }].'),
});

export type ConsoleOptions = z.infer<typeof consoleOptions>;

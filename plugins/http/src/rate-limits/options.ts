import { z } from 'zod';

/** Those that Node reads and that are in use; `METHODS` of `node:http` would load a server into `keelson check`. */
const methods =
  'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY SEARCH COPY MOVE LOCK UNLOCK MKCOL PROPFIND PROPPATCH REPORT PURGE LINK UNLINK'.split(
    ' ',
  );

/** The name of an HTTP method; converted to capital letters. An unknown name is refused: no request would ever match it. */
export const methodName = z
  .string()
  .toUpperCase()
  .refine(text => methods.includes(text), 'must be a method of HTTP, such as GET or POST');

const name = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens');

const pattern = z
  .string()
  .regex(/^(\/:?[A-Za-z0-9._~-]+)+$|^\/$/, 'must be a path such as /orders or /orders/:id/payments');

/** Limits may change while the service runs. */
const reloadable = { reloadable: true };

export const rateLimitOptions = z.strictObject({
  limit: z.number().int().min(1).max(1_000_000).describe('Requests of one caller in each window.').meta(reloadable),
  windowMs: z
    .number()
    .int()
    .min(1_000)
    .max(86_400_000)
    .refine(ms => ms % 1_000 === 0, 'must be whole seconds: 1s, 30s, 5m')
    .describe('Length of a window, in milliseconds: whole seconds. It begins with the first request of a caller.')
    .meta(reloadable),
  by: z
    .string()
    .regex(/^(header:[A-Za-z0-9-]+|[a-z][a-z0-9-]*)$/, 'must be ip, header:<name>, or the name of a RateLimitKey')
    .default('ip')
    .describe(
      'What identifies a caller: ip, header:X-Api-Key, or the name of a RateLimitKey of the service. With IPv6, a /64 ' +
        'network is one caller. A request without the header or the key counts for its address.',
    )
    .meta(reloadable),
  methods: z
    .array(methodName)
    .min(1)
    .optional()
    .describe('The methods that count; GET includes HEAD. Default: all.')
    .meta(reloadable),
  paths: z
    .array(pattern)
    .min(1)
    .optional()
    .describe('The paths that count, with all paths below them; :id stands for one part. Default: all.')
    .meta(reloadable),
  store: z
    .enum(['memory', 'database'])
    .default('memory')
    .describe(
      'memory: each instance counts separately. database: all instances count together, with two round trips for each request.',
    )
    .meta(reloadable),
});

export const rateLimitsOptions = z
  .record(name, rateLimitOptions)
  .default({})
  .describe(
    'Limits of requests, by name: { api: { limit: 100, windowMs: 1m } }. Probes are not limited. Default: none.',
  )
  .meta(reloadable);

export type RateLimitOptions = z.infer<typeof rateLimitOptions>;
export type RateLimitsOptions = z.infer<typeof rateLimitsOptions>;

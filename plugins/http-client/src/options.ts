import { z } from 'zod';

const milliseconds = z.number().int().min(1).max(86_400_000);

const baseUrl = z
  .url({ protocol: /^https?$/ })
  .refine(
    text => {
      const url = URL.parse(text);
      return url === null || `${url.username}${url.password}${url.search}${url.hash}` === '';
    },
    { error: 'must have neither a user, nor a query, nor a fragment' },
  )
  .describe('Where the server is: https://api.example.com or https://example.com/api.');

export const targetOptions = z.strictObject({
  baseUrl,
  retryTarget: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Name under retry.targets whose breaker and policy apply to the server. Default: the name of the target.',
    ),
  timeoutMs: milliseconds
    .optional()
    .describe('Longest request with its retries and waits, even when its caller has more time. Default: no limit.'),
  attemptTimeoutMs: milliseconds
    .optional()
    .describe('Longest wait for an answer to one attempt, in milliseconds. Default: the limit of the policy.'),
  sendTimeout: z
    .boolean()
    .default(true)
    .describe('Whether requests send their remaining time. Set false for third-party servers.'),
  propagateTrace: z
    .boolean()
    .default(true)
    .describe('Whether requests send the headers of the trace. Set false for third-party servers.'),
});

export const httpClientOptions = z.strictObject({
  timeoutHeader: z
    .union([z.literal(false), z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header')])
    .default('Request-Timeout')
    .describe('The header in which requests to targets send their remaining time; false sends none.'),
  targets: z
    .record(z.string().min(1), targetOptions)
    .default({})
    .describe('Servers by name: { prices: { baseUrl: https://prices.example.com } }.'),
});

export type TargetOptions = z.infer<typeof targetOptions>;
export type HttpClientOptions = z.infer<typeof httpClientOptions>;

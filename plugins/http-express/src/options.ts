import { z } from 'zod';

const milliseconds = z.number().int().min(0).max(3_600_000);

export const httpOptions = z.strictObject({
  port: z.number().int().min(0).max(65_535).default(3_000).describe('The port to listen on; 0 takes any free one.'),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('The address to listen on: 127.0.0.1 for this machine alone. Default: every address of the machine.'),
  bodyLimitBytes: z
    .number()
    .int()
    .min(0)
    .max(1_073_741_824)
    .default(102_400)
    .describe('The largest JSON body that is read, in bytes; a larger one is answered with 413.'),
  headersTimeoutMs: milliseconds
    .min(100)
    .default(10_000)
    .describe('Longest time for the headers of a request to arrive, in milliseconds; then 408.'),
  requestTimeoutMs: milliseconds
    .min(100)
    .default(60_000)
    .describe(
      'Longest time for a whole request to arrive, in milliseconds; then 408. The time to answer is not limited.',
    ),
  keepAliveTimeoutMs: milliseconds
    .default(65_000)
    .describe(
      'How long an idle connection stays open, in milliseconds. Set it longer than the idle timeout of the load balancer ' +
        'in front (usually 60 s): then the server never closes a connection that the load balancer uses for a request.',
    ),
  drainTimeoutMs: milliseconds
    .default(10_000)
    .describe(
      'How long a stop waits for requests that are being answered, in milliseconds; then they are ended or cut.',
    ),
  trustProxy: z
    .union([z.boolean(), z.number().int().min(0), z.string(), z.array(z.string())])
    .default(false)
    .describe(
      'Whose X-Forwarded-* headers are believed: the number of proxies in front, or their addresses (loopback, ' +
        '10.0.0.0/8). true believes everyone and lets clients choose their own address.',
    ),
  requestIdHeader: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/)
    .default('X-Request-Id')
    .describe('The header that carries the id of a request, in and out.'),
  consistency: z
    .enum(['off', 'header', 'cookie'])
    .default('off')
    .describe(
      'How clients see what they have stored before, also on a replica: the answer of a writing request has a token in the ' +
        'header or the cookie Keelson-Consistency, and a reading request that brings it back is answered no older.',
    ),
  readOnlyMethods: z
    .array(z.string().toUpperCase())
    .default(['GET', 'HEAD'])
    .describe('Methods whose database session is read-only.'),
});

export type HttpOptions = z.infer<typeof httpOptions>;

import { methodName, rateLimitsOptions } from '@keelson/http/contract';
import { z } from 'zod';
import { isProxy } from './proxy-address.js';

const milliseconds = z.number().int().min(0).max(3_600_000);

const path = z.string().regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'must be a path such as /docs');

const port = z.number().int().min(0).max(65_535);
const host = z.string().min(1).optional();

const admin = z
  .strictObject({
    port: port.describe('The port to listen on; 0 takes any free one.'),
    host: host.describe('The address to listen on. Default: every address of the machine.'),
  })
  .describe(
    'A separate port for metrics, pages of operators and the details of probes; the port of the API then has none of them.',
  );

export type AdminOptions = z.infer<typeof admin>;

const headerName = z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header');

const proxies = z
  .string()
  .refine(
    text => text.split(',').every(part => isProxy(part.trim())),
    'must name addresses (10.0.0.7), networks (10.0.0.0/8), loopback, linklocal or uniquelocal; write a number of proxies without quotes',
  );

const securityHeader = headerName.refine(
  name => !/^(content-length|transfer-encoding|connection|keep-alive|trailer|upgrade|date)$/i.test(name),
  'must not be a header that the server sets for each answer, such as Content-Length',
);

const securityValue = z.string().regex(/^[\t\x20-\x7e]+$/, 'must be visible ASCII characters on one line');

const overloadOptions = z.strictObject({
  maxActive: z.number().int().min(1).default(10_000).describe('Requests that may run at the same time.'),
  maxLateMs: milliseconds
    .min(20)
    .default(500)
    .describe('How late the timers of the process may be, in milliseconds, as a moving average.'),
  longestWaitMs: milliseconds
    .min(1)
    .default(5_000)
    .describe('Longest expected wait for a database connection, in milliseconds. A deadline of the request lowers it.'),
});

export type OverloadOptions = z.infer<typeof overloadOptions>;

const deadlineOptions = z
  .strictObject({
    header: headerName
      .default('Request-Timeout')
      .describe('The header in which clients send the time that they wait: 5, 0.5, 500ms.'),
    longestMs: z
      .number()
      .int()
      .min(1)
      .max(3_600_000)
      .default(60_000)
      .describe('The longest time that a client can ask for, in milliseconds.'),
  })
  .describe(
    'Reads the time that a client waits: sessions, retries and requests to other services end by then. Default: not read.',
  );

export type DeadlineOptions = z.infer<typeof deadlineOptions>;

const origin = z.string().refine(text => {
  if (!URL.canParse(text)) return false;
  return new URL(text).origin === text;
}, 'must be an origin without a path, such as https://app.example.com');

const corsOptions = z
  .strictObject({
    origins: z.union([z.literal('*'), z.array(origin).min(1)]).describe('Origins that may use the API; * means all.'),
    methods: z
      .array(methodName)
      .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .describe('The methods that pages of these origins may use.'),
    headers: z.array(headerName).optional().describe('The headers that these pages may send. Default: all.'),
    exposedHeaders: z.array(headerName).default([]).describe('The headers of an answer that these pages may read.'),
    credentials: z.boolean().default(false).describe('Whether requests of these pages may carry cookies.'),
    maxAgeMs: milliseconds.default(600_000).describe('How long a browser may keep these rules, in milliseconds.'),
  })
  .superRefine(({ origins, credentials }, context) => {
    if (origins !== '*' || !credentials) return;
    const message = 'must be a list of origins when credentials are allowed, because browsers refuse * then';
    context.addIssue({ code: 'custom', path: ['origins'], message });
  })
  .describe('Lets pages of other origins use the API. Default: none.');

export type CorsOptions = z.infer<typeof corsOptions>;

const problemOverride = z.strictObject({
  status: z.number().int().min(400).max(599),
  title: z.string().min(1).optional().describe('Default: the name of the status.'),
  detail: z.string().min(1).optional().describe('One sentence for clients. Default: the sentence of the error.'),
});

export type ProblemOverride = z.infer<typeof problemOverride>;

const problems = z
  .strictObject({
    typeBase: z
      .string()
      .min(1)
      .default('urn:keelson:problem:')
      .describe(
        'What comes before the code in `type`: the address of your list of errors, https://docs.example.com/errors#. ' +
          '{anchor} in it stands for the code in lower case, like the anchors of Markdown pages.',
      ),
    overrides: z
      .record(z.string(), problemOverride)
      .default({})
      .describe(
        'Other statuses for errors, by code or by the kind of a database error: { lock-timeout: { status: 409 } }.',
      ),
  })
  .prefault({});

const openApi = z
  .union([
    z.literal(false),
    z.strictObject({
      documentPath: path.default('/openapi.json').describe('The path of the OpenAPI 3.1 document.'),
      pagePath: z
        .union([z.literal(false), path])
        .default('/docs')
        .describe('The path of a page to read and try the API; false serves none.'),
      title: z.string().min(1).optional().describe('The title of the API. Default: the name of the service.'),
      version: z.string().min(1).default('1.0.0').describe('The version of the API.'),
    }),
  ])
  .prefault({})
  .describe(
    'Describes the routes with schemas; false describes nothing. A service without such routes serves nothing.',
  );

export const httpOptions = z
  .strictObject({
    port: port.default(3_000).describe('The port to listen on; 0 takes any free one.'),
    host: host.describe(
      'The address to listen on: 127.0.0.1 for only this machine. Default: every address of the machine.',
    ),
    admin: admin.optional(),
    bodyLimitBytes: z
      .number()
      .int()
      .min(0)
      .max(1_073_741_824)
      .default(102_400)
      .describe('The largest JSON body, in bytes; a larger body gets a 413.'),
    bodyMaxDepth: z
      .number()
      .int()
      .min(1)
      .max(1_000)
      .default(100)
      .describe('How deep arrays and objects of a JSON body may be nested; a deeper body gets a 400.'),
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
    stalledTimeoutMs: milliseconds
      .min(1)
      .default(30_000)
      .describe(
        'How long a client may read nothing of a waiting answer, in milliseconds; then its connection is closed.',
      ),
    drainTimeoutMs: milliseconds
      .default(10_000)
      .describe(
        'How long a stop waits for running requests, in milliseconds; then it ends them or closes their connections.',
      ),
    trustProxy: z
      .union([z.boolean(), z.number().int().min(0), proxies, z.array(proxies)])
      .default(false)
      .describe(
        'The proxies whose X-Forwarded-* headers are trusted: their number, or their addresses (loopback, 10.0.0.0/8). ' +
          'true trusts every sender, so that clients choose their own address.',
      ),
    requestIdHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/)
      .default('X-Request-Id')
      .describe('The header that carries the id of a request, in and out.'),
    continueTraces: z
      .boolean()
      .default(true)
      .describe(
        'Whether this service continues the trace of its client. Set false on a public server, so that its clients cannot decide what is recorded.',
      ),
    consistency: z
      .enum(['off', 'header', 'cookie'])
      .default('off')
      .describe(
        'How clients see their own writes, also on a replica: the answer of a writing request has a token in the header or ' +
          'the cookie Keelson-Consistency, and a reading request that sends it back sees at least the data of that write.',
      ),
    readOnlyMethods: z
      .array(methodName)
      .default(['GET', 'HEAD'])
      .describe('Methods whose database session is read-only.'),
    overload: z
      .union([z.literal(false), overloadOptions])
      .prefault({})
      .describe(
        'Refuses requests that could not be answered in time, early, with 503 and Retry-After; false refuses none.',
      ),
    deadline: deadlineOptions.optional(),
    rateLimits: rateLimitsOptions,
    http2: z
      .boolean()
      .default(false)
      .describe('Must be false: the server supports HTTP/1.1 only. Let the proxy in front speak HTTP/2 to clients.'),
    cors: corsOptions.optional(),
    securityHeaders: z
      .union([z.literal(false), z.record(securityHeader, z.union([z.literal(false), securityValue]))])
      .default({})
      .describe(
        'Headers of every answer: X-Content-Type-Options, X-Frame-Options, Referrer-Policy and Strict-Transport-Security. ' +
          'Set a header to another value, or to false to leave it out; false for the whole option leaves out all.',
      ),
    openApi,
    problems,
    checkAnswers: z
      .enum(['auto', 'always', 'never'])
      .default('auto')
      .describe(
        'Whether answers of routes with schemas are compared with their schemas; an answer that differs is a 500. ' +
          '`auto`: always, except in the environments `production` and `prod`, and with NODE_ENV=production.',
      ),
  })
  .superRefine(({ port: api, admin: own, host: at }, context) => {
    if (own === undefined || own.port === 0 || own.port !== api || own.host !== at) return;
    const message = `must differ from the port of the API (${api})`;
    context.addIssue({ code: 'custom', path: ['admin', 'port'], message });
  });

export type HttpOptions = z.infer<typeof httpOptions>;

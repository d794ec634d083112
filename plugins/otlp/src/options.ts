import { z } from 'zod';

const milliseconds = z.int().min(1).max(600_000);

/**
 * The options of every plugin that sends to an OTLP receiver; `paths` names the paths that are added to the endpoint. An
 * option with an OpenTelemetry variable has no default here: left out, the variable or its default applies.
 */
export function receiverOptions(paths: string) {
  return {
    endpoint: z
      .url({ protocol: /^https?$/ })
      .refine(
        text => `${URL.parse(text)?.username ?? ''}${URL.parse(text)?.password ?? ''}` === '',
        'must have neither a user nor a password: use `headers`',
      )
      .optional()
      .describe(`The OTLP receiver; ${paths}. Default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318.`),
    headers: z
      .record(z.string(), z.string())
      .optional()
      .meta({ secret: true })
      .describe('Headers of each export, such as an API key. Default: OTEL_EXPORTER_OTLP_HEADERS.'),
    protocol: z
      .enum(['http/protobuf', 'http/json'])
      .optional()
      .describe('The encoding of each export. Default: OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf.'),
    compression: z
      .enum(['gzip', 'none'])
      .optional()
      .describe('The compression of each export. Default: OTEL_EXPORTER_OTLP_COMPRESSION, else none.'),
    timeoutMs: milliseconds
      .optional()
      .describe('Longest export with its retries, in milliseconds. Default: OTEL_EXPORTER_OTLP_TIMEOUT, else 10,000.'),
    serviceName: z
      .string()
      .min(1)
      .optional()
      .describe(
        'service.name. Default: OTEL_SERVICE_NAME, else that of OTEL_RESOURCE_ATTRIBUTES, else the name of the service.',
      ),
    environment: z
      .string()
      .min(1)
      .optional()
      .describe(
        'deployment.environment.name. Default: that of OTEL_RESOURCE_ATTRIBUTES, else the environment of the service.',
      ),
    resource: z
      .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean()]))
      .default({})
      .describe('Further attributes of the resource; they take precedence over OTEL_RESOURCE_ATTRIBUTES.'),
  };
}

const receiver = z.object(receiverOptions(''));

/** What `exporterConfigOf` and `resourceOf` need of the options of a plugin. */
export type ReceiverOptions = z.infer<typeof receiver>;

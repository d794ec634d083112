import type { samplerNames, TelemetryOtelOptions } from './options.js';

export type SamplerName = (typeof samplerNames)[number];

/** What counts after the options and the variables of OpenTelemetry. */
export interface Settings {
  readonly enabled: boolean;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly sampler: SamplerName;
  readonly sampleRate: number;
  readonly traces: boolean;
  readonly errors: boolean;
  readonly maxQueueSize: number;
  readonly maxBatchSize: number;
  readonly delayMs: number;
  readonly exportTimeoutMs: number;
  /** Variables whose values cannot be used; what they should have set has its default. */
  readonly unusable: readonly string[];
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * An option wins over a variable, for it belongs to this service, and a variable over a default. Only OTEL_SDK_DISABLED wins
 * over all: it is the switch of the person on call. A variable that cannot be used counts as left out, as its
 * specification has it.
 */
export function settingsOf(options: TelemetryOtelOptions, variables: Variables): Settings {
  const unusable: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = variables[name]?.trim();
    if (text === undefined || text === '') return undefined;
    const value = parse(text);
    if (value === undefined) unusable.push(name);
    return value;
  };
  const count = (name: string) => read(name, text => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined));
  const exporter = (name: string) => read(name, oneOf(['otlp', 'none']));
  const maxQueueSize = options.batch.maxQueueSize ?? count('OTEL_BSP_MAX_QUEUE_SIZE') ?? 2_048;
  const settings = {
    enabled: options.enabled && read('OTEL_SDK_DISABLED', text => text.toLowerCase() === 'true') !== true,
    protocol:
      options.protocol ?? read('OTEL_EXPORTER_OTLP_PROTOCOL', oneOf(['http/protobuf', 'http/json'])) ?? 'http/protobuf',
    sampler: options.sampler ?? read('OTEL_TRACES_SAMPLER', oneOf(samplers)) ?? 'parentbased_traceidratio',
    sampleRate: options.tracesSampleRate ?? read('OTEL_TRACES_SAMPLER_ARG', share) ?? 1,
    traces: exporter('OTEL_TRACES_EXPORTER') !== 'none',
    errors: options.errors ?? exporter('OTEL_LOGS_EXPORTER') !== 'none',
    maxQueueSize,
    maxBatchSize: Math.min(maxQueueSize, options.batch.maxBatchSize ?? count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE') ?? 512),
    delayMs: options.batch.delayMs ?? count('OTEL_BSP_SCHEDULE_DELAY') ?? 5_000,
    exportTimeoutMs: count('OTEL_BSP_EXPORT_TIMEOUT') ?? 30_000,
  } as const;
  return { ...settings, unusable };
}

const samplers: readonly SamplerName[] = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
];

function oneOf<const Value extends string>(values: readonly Value[]): (text: string) => Value | undefined {
  return text => values.find(value => value === text);
}

function share(text: string): number | undefined {
  const value = Number(text);
  return value >= 0 && value <= 1 ? value : undefined;
}

import { type Protocol, VariableReader } from '@keelson/otlp';
import { samplerNames, type TelemetryOtelOptions } from './options.js';

export type SamplerName = (typeof samplerNames)[number];

/** The settings in force, from the options and the variables of OpenTelemetry. */
export interface Settings {
  readonly enabled: boolean;
  /** The encoding of spans, and of errors. */
  readonly tracesProtocol: Protocol;
  readonly logsProtocol: Protocol;
  /** Whether traces of callers go on here, and traces of this service in the services that it calls. */
  readonly propagates: boolean;
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

/**
 * An option wins over a variable, for it belongs to this service, and a variable over a default. Only OTEL_SDK_DISABLED wins
 * over all.
 */
export function settingsOf(
  options: TelemetryOtelOptions,
  variables: Readonly<Record<string, string | undefined>>,
): Settings {
  const reader = new VariableReader(variables);
  const protocol = reader.protocol('OTEL_EXPORTER_OTLP_PROTOCOL');
  const exporter = (name: string) => reader.oneOf(name, ['otlp', 'none']);
  const { batch } = options;
  const protocolOf = (signal: string) => {
    const ofSignal = reader.protocol(`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`);
    return options.protocol ?? ofSignal ?? protocol ?? 'http/protobuf';
  };
  const maxQueueSize = batch.maxQueueSize ?? reader.count('OTEL_BSP_MAX_QUEUE_SIZE') ?? 2_048;
  const settings = {
    enabled: options.enabled && !reader.isDisabled,
    tracesProtocol: protocolOf('TRACES'),
    logsProtocol: protocolOf('LOGS'),
    propagates: reader.read('OTEL_PROPAGATORS', propagates) ?? true,
    sampler: options.sampler ?? reader.oneOf('OTEL_TRACES_SAMPLER', samplerNames) ?? 'parentbased_traceidratio',
    sampleRate: options.tracesSampleRate ?? reader.read('OTEL_TRACES_SAMPLER_ARG', share) ?? 1,
    traces: exporter('OTEL_TRACES_EXPORTER') !== 'none',
    errors: options.errors ?? exporter('OTEL_LOGS_EXPORTER') !== 'none',
    maxQueueSize,
    maxBatchSize: Math.min(maxQueueSize, batch.maxBatchSize ?? reader.count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE') ?? 512),
    delayMs: batch.delayMs ?? reader.count('OTEL_BSP_SCHEDULE_DELAY') ?? 5_000,
    exportTimeoutMs: reader.count('OTEL_BSP_EXPORT_TIMEOUT') ?? 30_000,
  } as const;
  return { ...settings, unusable: reader.unusable };
}

/**
 * Trace Context is the only format: other lists turn propagation off, and a list with a name of another format is not usable.
 * `baggage` is no format of a trace, and is never passed on.
 */
function propagates(text: string): boolean | undefined {
  const names = text.split(',').map(name => name.trim());
  if (names.some(name => !['tracecontext', 'baggage', 'none'].includes(name))) return undefined;
  return names.includes('tracecontext');
}

function share(text: string): number | undefined {
  const value = Number(text);
  return value >= 0 && value <= 1 ? value : undefined;
}

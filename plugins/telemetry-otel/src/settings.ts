import { type Protocol, VariableReader } from '@keelson/otlp';
import { samplerNames, type TelemetryOtelOptions } from './options.js';

export type SamplerName = (typeof samplerNames)[number];

/** What counts after the options and the variables of OpenTelemetry. */
export interface Settings {
  readonly enabled: boolean;
  readonly protocol: Protocol;
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
  const exporter = (name: string) => reader.oneOf(name, ['otlp', 'none']);
  const { batch } = options;
  const maxQueueSize = batch.maxQueueSize ?? reader.count('OTEL_BSP_MAX_QUEUE_SIZE') ?? 2_048;
  const settings = {
    enabled: options.enabled && !reader.isDisabled,
    protocol: options.protocol ?? reader.protocol('OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/protobuf',
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

function share(text: string): number | undefined {
  const value = Number(text);
  return value >= 0 && value <= 1 ? value : undefined;
}

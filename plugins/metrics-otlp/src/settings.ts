import type { MetricsOtlpOptions } from './options.js';

/** What counts after the options and the variables of OpenTelemetry. */
export interface Settings {
  readonly enabled: boolean;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly intervalMs: number;
}

/** An option wins over a variable, and a variable over a default; OTEL_SDK_DISABLED wins over all. */
export function settingsOf(
  options: MetricsOtlpOptions,
  variables: Readonly<Record<string, string | undefined>>,
): Settings {
  const isOff = variables.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || variables.OTEL_METRICS_EXPORTER === 'none';
  const isJson = variables.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL ?? variables.OTEL_EXPORTER_OTLP_PROTOCOL;
  const interval = Number(variables.OTEL_METRIC_EXPORT_INTERVAL);
  return {
    enabled: options.enabled && !isOff,
    protocol: options.protocol ?? (isJson === 'http/json' ? 'http/json' : 'http/protobuf'),
    intervalMs: options.intervalMs ?? (Number.isInteger(interval) && interval > 0 ? interval : 60_000),
  };
}

import { type Protocol, VariableReader } from '@keelson/otlp';
import type { MetricsOtlpOptions } from './options.js';

/** The settings in force, from the options and the variables of OpenTelemetry. */
export interface Settings {
  readonly enabled: boolean;
  readonly protocol: Protocol;
  readonly intervalMs: number;
  /** Variables whose values cannot be used; what they should have set has its default. */
  readonly unusable: readonly string[];
}

/** An option wins over a variable, and a variable over a default; OTEL_SDK_DISABLED wins over all. */
export function settingsOf(
  options: MetricsOtlpOptions,
  variables: Readonly<Record<string, string | undefined>>,
): Settings {
  const reader = new VariableReader(variables);
  const isOff = reader.isDisabled || reader.oneOf('OTEL_METRICS_EXPORTER', ['otlp', 'none']) === 'none';
  const protocol =
    reader.protocol('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL') ?? reader.protocol('OTEL_EXPORTER_OTLP_PROTOCOL');
  const intervalMs = reader.count('OTEL_METRIC_EXPORT_INTERVAL');
  return {
    enabled: options.enabled && !isOff,
    protocol: options.protocol ?? protocol ?? 'http/protobuf',
    intervalMs: options.intervalMs ?? intervalMs ?? 60_000,
    unusable: reader.unusable,
  };
}

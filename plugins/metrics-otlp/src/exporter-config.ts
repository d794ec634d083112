import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { OTLPExporterNodeConfigBase } from '@opentelemetry/otlp-exporter-base/node-http';
import type { MetricsOtlpOptions } from './options.js';

type Given = Pick<MetricsOtlpOptions, 'endpoint' | 'headers' | 'compression' | 'timeoutMs'>;

/** What is left out here, the exporter reads from the variables of OpenTelemetry. */
export function exporterConfigOf(options: Given, path: string): OTLPExporterNodeConfigBase {
  const { endpoint, headers, compression, timeoutMs } = options;
  return {
    ...(endpoint !== undefined && { url: `${endpoint.replace(/\/+$/, '')}/${path}` }),
    ...(headers !== undefined && { headers }),
    ...(timeoutMs !== undefined && { timeoutMillis: timeoutMs }),
    ...(compression !== undefined && {
      compression: compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    }),
  };
}

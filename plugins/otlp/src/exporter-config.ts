import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { OTLPExporterNodeConfigBase } from '@opentelemetry/otlp-exporter-base/node-http';
import type { ReceiverOptions } from './options.js';

/** Returns the configuration of an exporter. For a value that is left out, the exporter reads the OpenTelemetry variable. */
export function exporterConfigOf(options: ReceiverOptions, path: string): OTLPExporterNodeConfigBase {
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

import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { OTLPExporterNodeConfigBase } from '@opentelemetry/otlp-exporter-base/node-http';
import type { ReceiverOptions } from './options.js';

/** What is left out here, the exporter reads from the variables of OpenTelemetry. */
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

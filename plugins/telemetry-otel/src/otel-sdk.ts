import type { Clock } from '@keelson/core';
import { createTelemetryMask, type TelemetryMask } from '@keelson/core/telemetry';
import { ExportWatch, exporterConfigOf, resourceOf, type ServiceFacts } from '@keelson/otlp';
import { context, type Logger, type Tracer, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { MaskedLogExporter, MaskedSpanExporter } from './masked-exporters.js';
import type { TelemetryOtelOptions } from './options.js';
import { samplerOf } from './sampler.js';
import type { Settings } from './settings.js';

const scope = '@keelson/telemetry-otel';

/** The SDK of this process, as far as the telemetry needs it. */
export interface OtelSdk {
  readonly tracer: Tracer;
  /** Undefined when errors are not sent as log records. */
  readonly logger: Logger | undefined;
  readonly mask: TelemetryMask;
  readonly watch: ExportWatch;
  readonly propagates: boolean;
  /** Sends what waits. Rejects when it could not be sent. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Sets the SDK up in this process, and registers it, so that the spans of code that uses the API of OpenTelemetry are parts
 * of the same traces. Connects to nothing.
 */
export function openSdk(options: TelemetryOtelOptions, settings: Settings, facts: ServiceFacts, clock: Clock): OtelSdk {
  const mask = createTelemetryMask(options.secretKeys);
  const watch = new ExportWatch(clock, 'telemetry could not be sent');
  const resource = resourceOf(options, facts);
  const spans = settings.traces ? new MaskedSpanExporter(traceExporter(options, settings), { mask, watch }) : undefined;
  const logs = settings.errors ? new MaskedLogExporter(logExporter(options, settings), { mask, watch }) : undefined;
  const batch = {
    maxQueueSize: settings.maxQueueSize,
    maxExportBatchSize: settings.maxBatchSize,
    scheduledDelayMillis: settings.delayMs,
    exportTimeoutMillis: settings.exportTimeoutMs,
  };
  const tracers = new TracerProvider({
    resource,
    sampler: samplerOf(settings),
    spanProcessors: spans === undefined ? [] : [new BatchSpanProcessor({ ...batch, exporter: spans })],
    spanLimits: { attributeValueLengthLimit: longestValue },
  });
  const loggers =
    logs && new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ ...batch, exporter: logs })] });
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
  trace.setGlobalTracerProvider(tracers);
  return {
    tracer: tracers.getTracer(scope),
    logger: loggers?.getLogger(scope),
    mask,
    watch,
    propagates: settings.propagates,
    flush: async () => {
      await Promise.all([tracers.forceFlush(), loggers?.forceFlush()]);
      await Promise.all([spans?.forceFlush(), logs?.forceFlush()]);
    },
    close: async () => {
      try {
        await Promise.all([tracers.shutdown(), loggers?.shutdown()]);
      } finally {
        trace.disable();
        context.disable();
      }
    },
  };
}

/** Characters of one attribute. */
const longestValue = 8_192;

function traceExporter(options: TelemetryOtelOptions, { tracesProtocol }: Settings) {
  const config = exporterConfigOf(options, 'v1/traces');
  return tracesProtocol === 'http/json' ? new JsonTraceExporter(config) : new ProtobufTraceExporter(config);
}

function logExporter(options: TelemetryOtelOptions, { logsProtocol }: Settings) {
  const config = exporterConfigOf(options, 'v1/logs');
  return logsProtocol === 'http/json' ? new JsonLogExporter(config) : new ProtobufLogExporter(config);
}

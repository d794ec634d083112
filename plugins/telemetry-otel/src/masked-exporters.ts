import type { TelemetryMask } from '@keelson/core/telemetry';
import type { ExportWatch } from '@keelson/otlp';
import type { Attributes } from '@opentelemetry/api';
import type { ExportResult } from '@opentelemetry/core';
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

type Report = (result: ExportResult) => void;

interface Watched {
  readonly mask: TelemetryMask;
  readonly watch: ExportWatch;
}

/** Masks spans on their way out, off the path of requests, also those of code that uses the API of OpenTelemetry itself. */
export class MaskedSpanExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #watched: Watched;

  constructor(exporter: SpanExporter, watched: Watched) {
    this.#exporter = exporter;
    this.#watched = watched;
  }

  export(spans: ReadableSpan[], report: Report): void {
    const { mask, watch } = this.#watched;
    const masked = spans.map(span => maskedSpan(span, mask));
    this.#exporter.export(masked, watch.watched('traces', spans.length, report));
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

export class MaskedLogExporter implements LogRecordExporter {
  readonly #exporter: LogRecordExporter;
  readonly #watched: Watched;

  constructor(exporter: LogRecordExporter, watched: Watched) {
    this.#exporter = exporter;
    this.#watched = watched;
  }

  export(records: ReadableLogRecord[], report: Report): void {
    const { mask, watch } = this.#watched;
    const masked = records.map(record =>
      replacing(record, { attributes: maskedAttributes(record.attributes, mask), body: bodyOf(record, mask) }),
    );
    this.#exporter.export(masked, watch.watched('logs', records.length, report));
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

function bodyOf({ body }: ReadableLogRecord, mask: TelemetryMask): ReadableLogRecord['body'] {
  return typeof body === 'string' ? mask.text(body) : undefined;
}

function maskedSpan(span: ReadableSpan, mask: TelemetryMask): ReadableSpan {
  const { status, events } = span;
  return replacing(span, {
    name: mask.name(span.name),
    attributes: maskedAttributes(span.attributes, mask),
    status: status.message === undefined ? status : { ...status, message: mask.text(status.message) },
    events: events.map(event => ({
      ...event,
      name: mask.name(event.name),
      ...(event.attributes !== undefined && { attributes: maskedAttributes(event.attributes, mask) }),
    })),
  });
}

function maskedAttributes(attributes: Attributes, mask: TelemetryMask): Attributes {
  return mask.attributes(attributes) as Attributes;
}

/** `original` with other values; its methods still see it. */
function replacing<T extends object>(original: T, values: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      if (Object.hasOwn(values, name)) return Reflect.get(values, name);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

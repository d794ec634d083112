import type { OtlpSpan } from '@keelson/test-support/otlp-receiver';

/** The spans of one trace below each other, with their ids and how each ended. */
export function spanTree(spans: readonly OtlpSpan[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const isRoot = ({ parentSpanId }: OtlpSpan) => parentSpanId === undefined || !ids.has(parentSpanId);
  return spans
    .filter(isRoot)
    .flatMap(root => linesOf(root, spans, ''))
    .join('\n');
}

function linesOf(span: OtlpSpan, spans: readonly OtlpSpan[], indent: string): string[] {
  const inside = spans.filter(({ parentSpanId }) => parentSpanId === span.spanId);
  const title = `${indent}${titleOf(span)}`;
  return [
    `${title.padEnd(24)} ${span.spanId}  ${outcomeOf(span)}`,
    ...inside.flatMap(each => linesOf(each, spans, `${indent}  `)),
  ];
}

function titleOf({ name, attributes }: OtlpSpan): string {
  return name === 'db.attempt' ? `${name} ${attributes['db.attempt']}` : name;
}

function outcomeOf({ status, attributes }: OtlpSpan): string {
  const durationMs = attributes['db.duration_ms'];
  const after = durationMs === undefined ? '' : `, ${Math.round(Number(durationMs))} ms`;
  return `${status === 2 ? attributes['error.type'] : ['not set', 'ok'][status]}${after}`;
}

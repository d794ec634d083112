/** How a field is written: a scalar, or a message of its own. A list has `[]` at its end. */
type Field = readonly [name: string, type: string];
type Schema = Readonly<Record<number, Field>>;

/** The parts of the messages of OTLP 1 that the tests look at; others are skipped. */
const schemas: Readonly<Record<string, Schema>> = {
  '/v1/traces': { 1: ['resourceSpans', 'ResourceSpans[]'] },
  '/v1/logs': { 1: ['resourceLogs', 'ResourceLogs[]'] },
  '/v1/metrics': { 1: ['resourceMetrics', 'ResourceMetrics[]'] },
  ResourceSpans: { 1: ['resource', 'Resource'], 2: ['scopeSpans', 'ScopeSpans[]'] },
  ResourceLogs: { 1: ['resource', 'Resource'], 2: ['scopeLogs', 'ScopeLogs[]'] },
  ResourceMetrics: { 1: ['resource', 'Resource'], 2: ['scopeMetrics', 'ScopeMetrics[]'] },
  Resource: { 1: ['attributes', 'KeyValue[]'] },
  ScopeSpans: { 2: ['spans', 'Span[]'] },
  ScopeLogs: { 2: ['logRecords', 'LogRecord[]'] },
  ScopeMetrics: { 2: ['metrics', 'Metric[]'] },
  Span: {
    1: ['traceId', 'hex'],
    2: ['spanId', 'hex'],
    3: ['traceState', 'text'],
    4: ['parentSpanId', 'hex'],
    5: ['name', 'text'],
    6: ['kind', 'integer'],
    9: ['attributes', 'KeyValue[]'],
    11: ['events', 'Event[]'],
    15: ['status', 'Status'],
  },
  Event: { 2: ['name', 'text'], 3: ['attributes', 'KeyValue[]'] },
  Status: { 2: ['message', 'text'], 3: ['code', 'integer'] },
  LogRecord: {
    2: ['severityNumber', 'integer'],
    3: ['severityText', 'text'],
    5: ['body', 'AnyValue'],
    6: ['attributes', 'KeyValue[]'],
    9: ['traceId', 'hex'],
    10: ['spanId', 'hex'],
    12: ['eventName', 'text'],
  },
  Metric: {
    1: ['name', 'text'],
    2: ['description', 'text'],
    3: ['unit', 'text'],
    5: ['gauge', 'Points'],
    7: ['sum', 'Points'],
    9: ['histogram', 'HistogramPoints'],
  },
  Points: { 1: ['dataPoints', 'NumberPoint[]'] },
  HistogramPoints: { 1: ['dataPoints', 'HistogramPoint[]'] },
  NumberPoint: { 4: ['asDouble', 'double'], 6: ['asInt', 'fixed'], 7: ['attributes', 'KeyValue[]'] },
  HistogramPoint: { 4: ['count', 'fixed'], 5: ['sum', 'double'], 9: ['attributes', 'KeyValue[]'] },
  KeyValue: { 1: ['key', 'text'], 2: ['value', 'AnyValue'] },
  AnyValue: {
    1: ['stringValue', 'text'],
    2: ['boolValue', 'boolean'],
    3: ['intValue', 'integer'],
    4: ['doubleValue', 'double'],
    5: ['arrayValue', 'ArrayValue'],
  },
  ArrayValue: { 1: ['values', 'AnyValue[]'] },
};

/** Decodes the body of an export in protobuf as its JSON encoding would be. */
export function decodeOtlp(path: string, body: Buffer): Readonly<Record<string, unknown>> {
  return decoded(path, body);
}

function decoded(type: string, body: Buffer): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  const reader = new Reader(body);
  while (reader.isNotDone) {
    const { number, value } = reader.field();
    const [name, kind] = schemas[type]?.[number] ?? [];
    if (name === undefined || kind === undefined) continue;
    if (kind.endsWith('[]')) {
      const list: unknown = message[name];
      message[name] = [...(Array.isArray(list) ? list : []), meaningOf(kind.slice(0, -2), value)];
    } else message[name] = meaningOf(kind, value);
  }
  return message;
}

function meaningOf(kind: string, value: Buffer | bigint): unknown {
  if (typeof value === 'bigint') return kind === 'boolean' ? value === 1n : Number(value);
  switch (kind) {
    case 'text':
      return value.toString('utf8');
    case 'hex':
      return value.toString('hex');
    case 'double':
      return value.readDoubleLE();
    case 'fixed':
      return Number(value.readBigInt64LE());
    default:
      return decoded(kind, value);
  }
}

class Reader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get isNotDone(): boolean {
    return this.#at < this.#body.length;
  }

  field(): { number: number; value: Buffer | bigint } {
    const tag = Number(this.#varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        return { number, value: this.#varint() };
      case 1:
        return { number, value: this.#bytes(8) };
      case 2:
        return { number, value: this.#bytes(Number(this.#varint())) };
      case 5:
        return { number, value: this.#bytes(4) };
      default:
        throw new Error(`not protobuf: wire type ${tag & 7}`);
    }
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes(1).readUInt8();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  }

  #bytes(count: number): Buffer {
    this.#at += count;
    return this.#body.subarray(this.#at - count, this.#at);
  }
}

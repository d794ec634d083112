import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { decodeOtlp } from './otlp-decoder.js';

export type OtlpValue = string | number | boolean | readonly OtlpValue[] | undefined;
export type OtlpAttributes = Readonly<Record<string, OtlpValue>>;

export interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly kind: number;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly attributes: OtlpAttributes;
  readonly events: readonly { readonly name: string; readonly attributes: OtlpAttributes }[];
  readonly resource: OtlpAttributes;
}

export interface OtlpLog {
  readonly eventName: string | undefined;
  readonly severityText: string | undefined;
  readonly body: OtlpValue;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly attributes: OtlpAttributes;
  readonly resource: OtlpAttributes;
}

export interface OtlpPoint {
  readonly name: string;
  readonly unit: string;
  readonly type: 'gauge' | 'sum' | 'histogram';
  /** Of a histogram, its sum. */
  readonly value: number;
  /** Of a histogram. */
  readonly count: number | undefined;
  readonly attributes: OtlpAttributes;
}

/** A server that takes OTLP over HTTP, as a collector does, on a port of its own, in both encodings. */
export class OtlpReceiver implements AsyncDisposable {
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[] = [];
  /** Everything received, decompressed and decoded, as JSON. */
  text = '';
  /** The answer to each export; `hang` never answers. */
  answer: number | 'hang' = 200;
  readonly #taken: { readonly path: string; readonly message: Message }[] = [];
  readonly #server = createServer((request, response) => {
    void this.#take(request).then(() => {
      if (this.answer !== 'hang') response.writeHead(this.answer, { 'retry-after': '30' }).end();
    });
  });

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get spans(): readonly OtlpSpan[] {
    return this.#of('/v1/traces', 'resourceSpans', 'scopeSpans', 'spans').map(({ item, resource }) => ({
      name: textOf(item.name) ?? '',
      traceId: textOf(item.traceId) ?? '',
      spanId: textOf(item.spanId) ?? '',
      parentSpanId: textOf(item.parentSpanId) || undefined,
      kind: Number(item.kind ?? 0),
      status: Number(messageOf(item.status).code ?? 0),
      attributes: attributesOf(item),
      events: listOf(item.events).map(event => ({ name: textOf(event.name) ?? '', attributes: attributesOf(event) })),
      resource,
    }));
  }

  get logs(): readonly OtlpLog[] {
    return this.#of('/v1/logs', 'resourceLogs', 'scopeLogs', 'logRecords').map(({ item, resource }) => ({
      eventName: textOf(item.eventName),
      severityText: textOf(item.severityText),
      body: otlpValueOf(item.body),
      traceId: textOf(item.traceId) || undefined,
      spanId: textOf(item.spanId) || undefined,
      attributes: attributesOf(item),
      resource,
    }));
  }

  get points(): readonly OtlpPoint[] {
    return this.#of('/v1/metrics', 'resourceMetrics', 'scopeMetrics', 'metrics').flatMap(({ item }) =>
      (['gauge', 'sum', 'histogram'] as const).flatMap(type =>
        listOf(messageOf(item[type]).dataPoints).map(point => ({
          name: textOf(item.name) ?? '',
          unit: textOf(item.unit) ?? '',
          type,
          value: Number(point.asDouble ?? point.asInt ?? point.sum ?? 0),
          count: point.count === undefined ? undefined : Number(point.count),
          attributes: attributesOf(point),
        })),
      ),
    );
  }

  /** Forgets what it has received. */
  clear(): void {
    this.requests.length = 0;
    this.#taken.length = 0;
    this.text = '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #of(path: string, resources: string, scopes: string, items: string) {
    return this.#taken
      .filter(taken => taken.path === path)
      .flatMap(({ message }) => listOf(message[resources]))
      .flatMap(each => {
        const resource = attributesOf(messageOf(each.resource));
        return listOf(each[scopes]).flatMap(inScope => listOf(inScope[items]).map(item => ({ item, resource })));
      });
  }

  async #take(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    const path = request.url ?? '';
    const isJson = request.headers['content-type']?.includes('json') === true;
    const message: Message = isJson ? JSON.parse(plain.toString()) : decodeOtlp(path, plain);
    this.text += `${JSON.stringify(message)}\n${isJson ? '' : plain.toString('latin1')}\n`;
    this.requests.push({ path, headers: request.headers });
    this.#taken.push({ path, message });
  }
}

type Message = Readonly<Record<string, unknown>>;

function messageOf(value: unknown): Message {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly Message[] {
  return Array.isArray(value) ? value.map(messageOf) : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function attributesOf(message: Message): OtlpAttributes {
  return Object.fromEntries(listOf(message.attributes).map(({ key, value }) => [String(key), otlpValueOf(value)]));
}

function otlpValueOf(value: unknown): OtlpValue {
  const { stringValue, boolValue, intValue, doubleValue, arrayValue } = messageOf(value);
  if (typeof stringValue === 'string') return stringValue;
  if (typeof boolValue === 'boolean') return boolValue;
  if (intValue !== undefined || doubleValue !== undefined) return Number(intValue ?? doubleValue);
  return arrayValue === undefined ? undefined : listOf(messageOf(arrayValue).values).map(otlpValueOf);
}

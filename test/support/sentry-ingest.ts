import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** The parts of an event or a batch of spans that the tests check. */
export interface WirePayload {
  readonly exception?: { readonly values: readonly { readonly value: string }[] };
  readonly environment?: string;
  readonly contexts?: Readonly<Record<string, unknown>>;
  readonly breadcrumbs?: readonly { readonly message?: string }[];
  readonly items?: readonly WireSpan[];
}

export interface EnvelopeItem {
  readonly type: string;
  /** As it was on the wire. */
  readonly text: string;
  readonly payload: WirePayload;
}

export interface WireSpan {
  readonly name: string;
  readonly span_id: string;
  readonly parent_span_id?: string;
  readonly trace_id: string;
  readonly status: 'ok' | 'error';
  readonly attributes: Readonly<Record<string, { readonly value: unknown; readonly type: string }>>;
}

/** A server that takes envelopes as Sentry's ingest does, on a port of its own. */
export class SentryIngest implements AsyncDisposable {
  readonly items: EnvelopeItem[] = [];
  /** Everything received, decompressed, as it was on the wire. */
  wire = '';
  encodings = new Set<string>();
  /** The answer to each envelope; `hang` never answers. */
  answer: number | 'hang' = 200;
  readonly #server = createServer((request, response) => {
    void this.#take(request).then(() => {
      if (this.answer !== 'hang') response.writeHead(this.answer).end('{}');
    });
  });

  static async start(): Promise<SentryIngest> {
    const ingest = new SentryIngest();
    ingest.#server.listen(0, '127.0.0.1');
    await once(ingest.#server, 'listening');
    return ingest;
  }

  get dsn(): string {
    return `http://public@127.0.0.1:${(this.#server.address() as AddressInfo).port}/1`;
  }

  get events(): readonly EnvelopeItem[] {
    return this.items.filter(item => item.type === 'event');
  }

  get spans(): readonly WireSpan[] {
    return this.items.filter(item => item.type === 'span').flatMap(item => item.payload.items ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const encoding = request.headers['content-encoding'] ?? 'identity';
    this.encodings.add(encoding);
    const body = Buffer.concat(chunks);
    const text = (encoding === 'gzip' ? gunzipSync(body) : body).toString();
    this.wire += text;
    const [, ...lines] = text.trimEnd().split('\n');
    for (let index = 0; index + 1 < lines.length; index += 2) {
      const payload = lines[index + 1] ?? '';
      this.items.push({ type: JSON.parse(lines[index] ?? '{}').type, text: payload, payload: JSON.parse(payload) });
    }
  }
}

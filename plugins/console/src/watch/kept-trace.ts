import type { Attributes, AttributeValue } from '@keelson/core';
import type { KeptRequest, KeptSpan, Outcome } from '../model.js';

/** The only attributes that are looked at: none can hold a value of a user, but for the id that a client chose for its request. */
const shown: Readonly<Record<string, (value: AttributeValue) => string>> = {
  'db.operation': String,
  'db.attempt': value => `attempt ${value}`,
  'db.statement_count': value => count(value, 'statement'),
  'db.response.returned_rows': value => count(value, 'row'),
  'db.response.status_code': value => `SQLSTATE ${value}`,
  'keelson.statement.shape': value => `shape ${value}`,
  'db.outcome': String,
  'http.response.status_code': value => `answer ${value}`,
  'http.request.resend_count': value => `attempt ${Number(value) + 1}`,
  'peer.service': value => `target ${value}`,
};

function count(value: AttributeValue, what: string): string {
  return `${value} ${what}${value === 1 ? '' : 's'}`;
}

const longestText = 120;

/** One span while it runs. Its place in the list of its trace never changes. */
export class SpanNote {
  readonly trace: KeptTrace;
  readonly index: number;
  readonly parent: number | undefined;
  readonly operation: string;
  readonly startMs: number;
  name: string;
  durationMs: number | undefined;
  outcome: Outcome = 'unset';
  kind: string | undefined;
  #details: Map<string, string> | undefined;

  constructor(trace: KeptTrace, parent: SpanNote | undefined, operation: string, name: string, startMs: number) {
    this.trace = trace;
    this.parent = parent?.index;
    this.index = trace.length;
    this.operation = operation;
    this.name = name;
    this.startMs = startMs;
  }

  note(attributes: Attributes): void {
    for (const [name, value] of Object.entries(attributes)) this.noteOne(name, value);
  }

  noteOne(name: string, value: AttributeValue): void {
    const format = shown[name];
    // The name of the session is on the session already.
    if (format === undefined || (name === 'db.operation' && this.operation !== 'db.session')) return;
    this.#details ??= new Map();
    this.#details.set(name, cut(format(value)));
  }

  toJson(): KeptSpan {
    const detail = [...(this.#details?.values() ?? [])].join(', ');
    return {
      ...(this.parent !== undefined && { parent: this.parent }),
      operation: this.operation,
      name: this.name,
      startMs: round(this.startMs),
      ...(this.durationMs !== undefined && { durationMs: round(this.durationMs) }),
      outcome: this.outcome,
      ...(this.kind !== undefined && { kind: this.kind }),
      ...(detail !== '' && { detail }),
    };
  }
}

/** One request with what it did: at most `mostSpans`, the rest is counted. */
export class KeptTrace {
  /** Given when it ends. */
  id = 0;
  readonly at: number;
  readonly startedAt: number;
  readonly traceId: string | undefined;
  readonly #mostSpans: number;
  readonly #spans: SpanNote[] = [];
  repeated = 0;
  status: number | undefined;
  code: string | undefined;
  requestId: string | undefined;
  #more = 0;
  #json: KeptRequest | undefined;

  constructor(given: { at: number; startedAt: number; traceId: string | undefined; mostSpans: number }) {
    this.at = given.at;
    this.startedAt = given.startedAt;
    this.traceId = given.traceId;
    this.#mostSpans = given.mostSpans;
  }

  get length(): number {
    return this.#spans.length;
  }

  get failed(): boolean {
    const [root] = this.#spans;
    return root?.outcome === 'error' || (this.status !== undefined && this.status >= 500);
  }

  /** Undefined when it has as many as it may have. */
  begin(parent: SpanNote | undefined, operation: string, name: string, now: number): SpanNote | undefined {
    if (this.#spans.length >= this.#mostSpans) {
      this.#more += 1;
      return undefined;
    }
    const span = new SpanNote(this, parent, cut(operation), name, now - this.startedAt);
    this.#spans.push(span);
    return span;
  }

  /** The JSON of a trace that has ended does not change, so it is made once. */
  toJson(): KeptRequest {
    return this.#json ?? this.#make();
  }

  #make(): KeptRequest {
    const [root] = this.#spans;
    const made: KeptRequest = {
      id: this.id,
      at: this.at,
      name: root?.name ?? '',
      durationMs: round(root?.durationMs ?? 0),
      ...(this.status !== undefined && { status: this.status }),
      ...(this.code !== undefined && { code: this.code }),
      outcome: root?.outcome ?? 'unset',
      repeated: this.repeated,
      ...(this.requestId !== undefined && { requestId: this.requestId }),
      ...(this.traceId !== undefined && { traceId: this.traceId }),
      spans: this.#spans.map(span => span.toJson()),
      more: this.#more,
    };
    if (this.#spans.every(span => span.durationMs !== undefined)) this.#json = made;
    return made;
  }
}

export function cut(text: string): string {
  if (text.length <= longestText) return text;
  // A copy: a slice would keep the whole text in memory.
  return `${Buffer.from(text.slice(0, longestText - 1)).toString()}…`;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

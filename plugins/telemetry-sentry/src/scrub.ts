import { createSafeCopy, describeError, type SafeCopy } from '@keelson/core';

/** Statements and what was bound to them, beyond the secrets: an event leaves the company. */
const databaseKeys = ['sql', 'query', 'statement', 'parameters', 'params', 'bindings'];

/** What of an event the scrubbing touches. */
export interface ScrubbedEvent {
  message?: string;
  exception?: { values?: { value?: string }[] };
  request?: { url?: string; method?: string };
  tags?: Record<string, unknown>;
  extra?: Record<string, unknown>;
  contexts?: Record<string, unknown>;
}

export interface ScrubbedSpan {
  name: string;
  attributes?: Record<string, unknown>;
}

export interface Scrubber {
  /** A name fit to be sent: without credentials and query parameters. */
  name(name: string): string;
  /** Facts fit to be sent. */
  facts(facts: unknown): Record<string, unknown>;
  /** The event without secrets, statements and query parameters; `error` is what it tells of. */
  event<Event extends ScrubbedEvent>(event: Event, error: unknown): Event;
  span<Span extends ScrubbedSpan>(span: Span): Span;
}

export function createScrubber(secretKeys: readonly string[]): Scrubber {
  const copyFacts = createSafeCopy({ secretKeys: [...secretKeys, ...databaseKeys] });
  const copy = createSafeCopy({ secretKeys });
  const safeName = (name: string) => withoutQuery(String(copy(name)));
  return {
    name: safeName,
    facts: facts => asRecord(copyFacts(facts)),
    event: (event, error) => scrubEvent(event, safeMessages(error, copy), copy, copyFacts),
    span: span => scrubSpan(span, copy),
  };
}

function scrubEvent<Event extends ScrubbedEvent>(
  event: Event,
  messages: ReadonlyMap<string, string>,
  copy: SafeCopy,
  copyFacts: SafeCopy,
): Event {
  const text = (value: string) => String(copy(messages.get(value) ?? value));
  if (event.message !== undefined) event.message = text(event.message);
  for (const exception of event.exception?.values ?? []) {
    if (exception.value !== undefined) exception.value = text(exception.value);
  }
  if (event.request !== undefined) event.request = requestOf(event.request);
  if (event.tags !== undefined) event.tags = asRecord(copy(event.tags));
  if (event.extra !== undefined) event.extra = asRecord(copyFacts(event.extra));
  if (event.contexts !== undefined) event.contexts = asRecord(copy(event.contexts));
  return event;
}

/** Method and path alone, whatever an integration has put there. */
function requestOf(request: { url?: string; method?: string }): { url?: string; method?: string } {
  const { url, method } = request;
  return { ...(url === undefined ? {} : { url: withoutQuery(url) }), ...(method === undefined ? {} : { method }) };
}

function scrubSpan<Span extends ScrubbedSpan>(span: Span, copy: SafeCopy): Span {
  span.name = withoutQuery(String(copy(span.name)));
  for (const [key, value] of Object.entries(span.attributes ?? {})) {
    if (leavesNothing.test(key)) delete span.attributes?.[key];
    else if (typeof value === 'string' && isUrl.test(key))
      Object.assign(span.attributes ?? {}, { [key]: withoutQuery(String(copy(value))) });
  }
  if (span.attributes !== undefined) span.attributes = asRecord(copy(span.attributes));
  return span;
}

/** Attributes of Sentry's own instrumentation that hold a statement, a parameter, or who the user is. */
const leavesNothing =
  /^(db\.(statement|query\.(text|parameter.*))|(url|http)\.(query|fragment)|http\.(request|response)\.(header|body)\..*|http\.(user_agent|client_ip)|user_agent.*|user\..*|client\.address|net\.peer\.ip)$/;
const isUrl = /^(url(\.full)?|http\.(url|target)|url\.path)$/;

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}

/** The messages of an error and of those behind it, each with what may be said instead. */
function safeMessages(error: unknown, copy: SafeCopy): ReadonlyMap<string, string> {
  const messages = new Map<string, string>();
  const seen = new Set<unknown>();
  const visit = (candidate: unknown) => {
    if (!(candidate instanceof Error) || seen.has(candidate) || seen.size >= 20) return;
    seen.add(candidate);
    messages.set(candidate.message, describeError(candidate, copy).message);
    const several: unknown = Reflect.get(candidate, 'errors');
    for (const behind of [candidate.cause, ...(Array.isArray(several) ? several : [])]) visit(behind);
    for (const key of ['error', 'suppressed']) visit(Reflect.get(candidate, key));
  };
  try {
    visit(error);
  } catch {
    // An error that cannot be looked at has no message to replace.
  }
  return messages;
}

function asRecord(copied: unknown): Record<string, unknown> {
  return typeof copied === 'object' && copied !== null && !Array.isArray(copied) ? { ...copied } : {};
}

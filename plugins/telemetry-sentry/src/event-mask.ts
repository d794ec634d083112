import { createMask, describeError, type Mask } from '@keelson/core';

/** Keys of statements and parameters, masked in addition to secrets: an event goes to another company. */
const databaseKeys = ['sql', 'query', 'statement', 'parameters', 'params', 'bindings'];

/** The masked parts of an event. */
export interface MaskedEvent {
  message?: string;
  exception?: { values?: { value?: string }[] };
  request?: { url?: string; method?: string };
  tags?: Record<string, unknown>;
  extra?: Record<string, unknown>;
  contexts?: Record<string, unknown>;
}

export interface MaskedSpan {
  name: string;
  attributes?: Record<string, unknown>;
}

export interface EventMask {
  /** Returns a name without credentials and query parameters. */
  name(name: string): string;
  /** Returns a text without secrets. */
  text(text: string): string;
  /** Returns facts without secrets, statements and parameters. */
  facts(facts: unknown): Record<string, unknown>;
  /** The event without secrets, statements and query parameters; `error` is its cause. */
  event<Event extends MaskedEvent>(event: Event, error: unknown): Event;
  span<Span extends MaskedSpan>(span: Span): Span;
}

export function createEventMask(secretKeys: readonly string[]): EventMask {
  const maskFacts = createMask({ secretKeys: [...secretKeys, ...databaseKeys] });
  const mask = createMask({ secretKeys });
  const maskName = (name: string) => withoutQuery(String(mask(name)));
  return {
    name: maskName,
    text: text => String(mask(text)),
    facts: facts => asRecord(maskFacts(facts)),
    event: (event, error) => maskEvent(event, maskedMessages(error, mask), mask, maskFacts),
    span: span => maskSpan(span, mask),
  };
}

function maskEvent<Event extends MaskedEvent>(
  event: Event,
  messages: ReadonlyMap<string, string>,
  mask: Mask,
  maskFacts: Mask,
): Event {
  const text = (value: string) => String(mask(messages.get(value) ?? value));
  if (event.message !== undefined) event.message = text(event.message);
  for (const exception of event.exception?.values ?? []) {
    if (exception.value !== undefined) exception.value = text(exception.value);
  }
  if (event.request !== undefined) event.request = requestOf(event.request);
  if (event.tags !== undefined) event.tags = asRecord(mask(event.tags));
  if (event.extra !== undefined) event.extra = asRecord(maskFacts(event.extra));
  if (event.contexts !== undefined) event.contexts = asRecord(mask(event.contexts));
  return event;
}

/** Reduces the request to method and path. */
function requestOf(request: { url?: string; method?: string }): { url?: string; method?: string } {
  const { url, method } = request;
  return { ...(url === undefined ? {} : { url: withoutQuery(url) }), ...(method === undefined ? {} : { method }) };
}

function maskSpan<Span extends MaskedSpan>(span: Span, mask: Mask): Span {
  span.name = withoutQuery(String(mask(span.name)));
  for (const [key, value] of Object.entries(span.attributes ?? {})) {
    if (leavesNothing.test(key)) delete span.attributes?.[key];
    else if (typeof value === 'string' && isUrl.test(key))
      Object.assign(span.attributes ?? {}, { [key]: withoutQuery(String(mask(value))) });
  }
  if (span.attributes !== undefined) span.attributes = asRecord(mask(span.attributes));
  return span;
}

/** Attributes of Sentry's own instrumentation that hold a statement, a parameter, or who the user is. */
const leavesNothing =
  /^(db\.(statement|query\.(text|parameter.*))|(url|http)\.(query|fragment)|http\.(request|response)\.(header|body)\..*|http\.(user_agent|client_ip)|user_agent.*|user\..*|client\.address|net\.peer\.ip)$/;
const isUrl = /^(url(\.full)?|http\.(url|target)|url\.path)$/;

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}

/** The messages of an error and its causes, each with its masked replacement. */
function maskedMessages(error: unknown, mask: Mask): ReadonlyMap<string, string> {
  const messages = new Map<string, string>();
  const seen = new Set<unknown>();
  const visit = (each: unknown) => {
    if (!(each instanceof Error) || seen.has(each) || seen.size >= 20) return;
    seen.add(each);
    messages.set(each.message, describeError(each, mask).message);
    const several: unknown = Reflect.get(each, 'errors');
    for (const behind of [each.cause, ...(Array.isArray(several) ? several : [])]) visit(behind);
    for (const key of ['error', 'suppressed']) visit(Reflect.get(each, key));
  };
  try {
    visit(error);
  } catch {
    // An error that cannot be read has no message to replace.
  }
  return messages;
}

function asRecord(copied: unknown): Record<string, unknown> {
  return typeof copied === 'object' && copied !== null && !Array.isArray(copied) ? { ...copied } : {};
}

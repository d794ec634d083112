import { createMask, describeError, type Mask } from '@keelson/core';
import { createTelemetryMask, type TelemetryMask, withoutQuery } from '@keelson/core/telemetry';

interface Frame {
  vars?: unknown;
}

/** The masked parts of an event. */
export interface MaskedEvent {
  message?: string;
  logentry?: { message?: string; params?: unknown[] };
  transaction?: string;
  exception?: { values?: { value?: string; stacktrace?: { frames?: Frame[] } }[] };
  request?: { url?: string; method?: string };
  user?: Record<string, unknown>;
  tags?: Record<string, unknown>;
  extra?: Record<string, unknown>;
  contexts?: Record<string, unknown>;
  breadcrumbs?: { timestamp?: number; message?: string; data?: Record<string, unknown> }[];
}

export interface MaskedSpan {
  name: string;
  attributes?: Record<string, unknown>;
}

export interface EventMask extends TelemetryMask {
  /** The event without secrets, statements, query parameters, headers, bodies, and users; `error` is its cause. */
  event<Event extends MaskedEvent>(event: Event, error: unknown): Event;
  span<Span extends MaskedSpan>(span: Span): Span;
}

export function createEventMask(secretKeys: readonly string[], maxBreadcrumbs = 100): EventMask {
  const telemetryMask = createTelemetryMask(secretKeys);
  const mask = createMask({ secretKeys });
  return {
    ...telemetryMask,
    event: (event, error) => {
      if (event.breadcrumbs !== undefined) event.breadcrumbs = latest(event.breadcrumbs, maxBreadcrumbs);
      return maskEvent(event, maskedMessages(error, mask), telemetryMask, mask);
    },
    span: span => {
      span.name = telemetryMask.name(span.name);
      if (span.attributes !== undefined) span.attributes = telemetryMask.attributes(span.attributes);
      return span;
    },
  };
}

/** Those of the process and those of the request come one after the other. */
function latest<Crumb extends { timestamp?: number }>(crumbs: readonly Crumb[], most: number): Crumb[] {
  const sorted = crumbs.toSorted((one, other) => (one.timestamp ?? 0) - (other.timestamp ?? 0));
  return sorted.slice(Math.max(0, sorted.length - most));
}

function maskEvent<Event extends MaskedEvent>(
  event: Event,
  messages: ReadonlyMap<string, string>,
  telemetryMask: TelemetryMask,
  mask: Mask,
): Event {
  const text = (value: string) => String(mask(messages.get(value) ?? value));
  if (event.message !== undefined) event.message = text(event.message);
  if (event.logentry !== undefined) event.logentry = { message: text(event.logentry.message ?? '') };
  if (event.transaction !== undefined) event.transaction = telemetryMask.name(event.transaction);
  for (const exception of event.exception?.values ?? []) {
    if (exception.value !== undefined) exception.value = text(exception.value);
    for (const frame of exception.stacktrace?.frames ?? []) delete frame.vars;
  }
  if (event.request !== undefined) event.request = requestOf(event.request);
  delete event.user;
  if (event.tags !== undefined) event.tags = recordOf(mask(event.tags));
  if (event.extra !== undefined) event.extra = telemetryMask.facts(event.extra);
  if (event.contexts !== undefined) event.contexts = telemetryMask.facts(event.contexts);
  if (event.breadcrumbs !== undefined) {
    for (const crumb of event.breadcrumbs) {
      if (crumb.message !== undefined) crumb.message = text(crumb.message);
      if (crumb.data !== undefined) crumb.data = telemetryMask.facts(crumb.data);
    }
  }
  return event;
}

/** Reduces the request to method and path. */
function requestOf(request: { url?: string; method?: string }): { url?: string; method?: string } {
  const { url, method } = request;
  return { ...(url === undefined ? {} : { url: withoutQuery(url) }), ...(method === undefined ? {} : { method }) };
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

function recordOf(copied: unknown): Record<string, unknown> {
  return typeof copied === 'object' && copied !== null && !Array.isArray(copied) ? { ...copied } : {};
}

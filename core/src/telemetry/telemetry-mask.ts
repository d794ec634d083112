import { createMask, type Mask } from '../secrets/create-mask.js';

/** Keys of statements and parameters, masked in addition to secrets: what is sent goes to another company. */
const databaseKeys = ['sql', 'query', 'statement', 'parameters', 'params', 'bindings'];
/** Five characters that say what went wrong: no part of a statement. */
const shownKeys = ['sqlState'];

/** Attributes of instrumentation that hold a statement, a parameter, a header, a body, or who the user is. */
const leavesNothing =
  /^(db\.(statement|query\.(text|parameter.*))|(url|http)\.(query|fragment)|http\.(request|response)\.(header|body)\..*|http\.(user_agent|client_ip)|user_agent.*|user\..*|enduser\..*|client\.address|net\.peer\.ip)$/;
const isUrl = /^(url(\.full)?|http\.(url|target)|url\.path)$/;

/** Takes what is private out of what an implementation of telemetry sends. Throws only what a getter of an attribute throws. */
export interface TelemetryMask {
  /** A name without credentials and query parameters. */
  name(name: string): string;
  /** A text without secrets. */
  text(text: string): string;
  /** One object with all `facts`, without secrets, statements and parameters. A value that cannot be read is `[Unreadable]`. */
  facts(...facts: readonly unknown[]): Record<string, unknown>;
  /** The attributes of a span without secrets, statements, query parameters, headers, bodies, and users. */
  attributes(attributes: Readonly<Record<string, unknown>>): Record<string, unknown>;
}

export function createTelemetryMask(secretKeys: readonly string[]): TelemetryMask {
  const maskFacts = createMask({ secretKeys: [...secretKeys, ...databaseKeys], shownKeys });
  const mask = createMask({ secretKeys });
  return {
    name: name => withoutQuery(String(mask(name))),
    text: text => String(mask(text)),
    facts: (...facts) => Object.assign({}, ...facts.map(each => asRecord(maskFacts(each)))),
    attributes: attributes => maskAttributes(attributes, mask),
  };
}

function maskAttributes(attributes: Readonly<Record<string, unknown>>, mask: Mask): Record<string, unknown> {
  const kept = Object.entries(attributes).filter(([key]) => !leavesNothing.test(key));
  const shown = kept.map(([key, value]) => {
    return [key, typeof value === 'string' && isUrl.test(key) ? withoutQuery(String(mask(value))) : value];
  });
  return asRecord(mask(Object.fromEntries(shown)));
}

/** Returns a URL or a path without query and fragment. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}

function asRecord(copied: unknown): Record<string, unknown> {
  return typeof copied === 'object' && copied !== null && !Array.isArray(copied) ? { ...copied } : {};
}

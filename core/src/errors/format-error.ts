import { redactText } from '../safe/redact-text.js';
import { defaultSecretKeys, secretKeyMatcher } from '../safe/secret-keys.js';
import { isKeelsonError } from './keelson-error.js';

const isSecretKey = secretKeyMatcher(defaultSecretKeys);

export interface FormatErrorOptions {
  /** Adds the stacks. Default false. */
  readonly verbose?: boolean;
}

/**
 * An error for a person: code, sentence, what to do, and the causes that say more. No stack unless `verbose`.
 */
export function formatError(error: unknown, options: FormatErrorOptions = {}): string {
  const lines = [...describe(error)];
  if (options.verbose === true) lines.push(...stacks(error));
  return lines.join('\n');
}

function* describe(error: unknown): Generator<string> {
  yield isKeelsonError(error) ? `${error.code}  ${error.message}` : messageOf(error);
  let said = messageOf(error);
  for (const cause of causesOf(error)) {
    const message = messageOf(cause);
    if (message === '' || said.includes(message)) continue;
    said += message;
    yield `  because: ${message}`;
  }
  const hint = [error, ...causesOf(error)].map(each => (isKeelsonError(each) ? each.hint : undefined)).find(Boolean);
  if (hint !== undefined) yield `  -> ${hint}`;
}

/** The causes below `error`, nearest first; those of an AggregateError side by side. Ends on a cycle. */
function causesOf(error: unknown): unknown[] {
  const found = new Set<unknown>();
  const queue: unknown[] = [error];
  for (const each of queue) {
    const { cause, errors } = (each ?? {}) as { cause?: unknown; errors?: unknown };
    for (const next of [cause, ...(Array.isArray(errors) ? errors : [])]) {
      if (next === undefined || next === error || found.has(next)) continue;
      found.add(next);
      queue.push(next);
    }
  }
  return [...found];
}

/** What others have thrown may hold a credential; our own errors never do. */
function messageOf(error: unknown): string {
  if (isKeelsonError(error)) return error.message;
  if (!(error instanceof Error)) return redactText(String(error), isSecretKey);
  return redactText(error.message === '' ? error.name : error.message, isSecretKey);
}

function* stacks(error: unknown): Generator<string> {
  for (const each of [error, ...causesOf(error)])
    if (each instanceof Error && each.stack !== undefined) yield redactText(each.stack, isSecretKey);
}

import { causesOf } from '../contract/causes.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import { withoutInput } from './error-parts.js';
import { maskText } from './mask-text.js';

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
  return maskText(lines.join('\n'));
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

/** Masked already here: what has been said is compared. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error) && !isKeelsonError(error)) return maskText(String(error));
  return error.message === '' ? error.name : maskText(withoutInput(error, error.message));
}

function* stacks(error: unknown): Generator<string> {
  for (const each of [error, ...causesOf(error)])
    if (each instanceof Error && each.stack !== undefined)
      yield each.stack.replaceAll(each.message, () => withoutInput(each, each.message));
}

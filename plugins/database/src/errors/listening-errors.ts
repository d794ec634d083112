import { KeelsonError } from '@keelson/core';
import { callerPath } from './code-path.js';
import { ConnectionError, causeOf, faultFacts, labelOf } from './connection-error.js';

function place(): { at?: string } {
  const at = callerPath();
  return at === undefined ? {} : { at };
}

/** The name of a channel is not valid. */
export class ChannelInvalidError extends KeelsonError {
  constructor(why: string) {
    super({
      code: 'DATABASE_CHANNEL_INVALID',
      message: `The name of the channel is not valid: ${why}.`,
      hint: 'Use a short, fixed name, and put variable data into the payload.',
      facts: place(),
    });
  }
}

/** A message was not accepted for sending; nothing was sent to the server. */
export class NotifyRefusedError extends KeelsonError {
  constructor({ why, bytes }: { readonly why: string; readonly bytes?: number }, cause?: unknown) {
    super({
      code: 'DATABASE_NOTIFY_REFUSED',
      message: `The message was not accepted: ${why}.`,
      hint: 'Send the key of a row, from a session that may write; the listener reads the row.',
      facts: { ...(bytes !== undefined && { bytes }), ...place() },
      cause,
    });
  }
}

/** The server has not confirmed LISTEN. The service does not listen to the channel. */
export class ListenFailedError extends ConnectionError {
  constructor(facts: { readonly channel: string; readonly timeoutMs?: number }, cause: unknown) {
    const within = facts.timeoutMs === undefined ? '' : ` within ${facts.timeoutMs} ms`;
    super({
      code: 'DATABASE_LISTEN_FAILED',
      message: `The database has not confirmed LISTEN on the channel "${facts.channel}"${within} (${labelOf(cause)}).`,
      hint: 'Check that the url leads to a primary, not to a standby, and that the user may open one more connection.',
      facts: { ...facts, ...faultFacts(cause) },
      cause: causeOf(cause),
    });
  }
}

import { NotifyRefusedError } from '../errors/listening-errors.js';

/** PostgreSQL refuses a payload of 8000 bytes. */
const longestBytes = 7_999;

/**
 * The payload as it is sent: a text as it is, nothing as the empty text, anything else as JSON.
 *
 * @throws NotifyRefusedError for what cannot be sent.
 */
export function payloadText(payload: unknown): string {
  const text = typeof payload === 'string' ? payload : payload === undefined ? '' : jsonOf(payload);
  if (text.includes('\0') || !text.isWellFormed())
    throw new NotifyRefusedError({ why: 'the payload holds a character that PostgreSQL cannot store' });
  // Three bytes are the most that one unit of a text takes.
  const bytes = text.length > longestBytes / 3 ? Buffer.byteLength(text) : 0;
  if (bytes > longestBytes)
    throw new NotifyRefusedError({ why: `the payload has ${bytes} bytes, and ${longestBytes} is the most`, bytes });
  return text;
}

function jsonOf(payload: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(payload);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) throw new NotifyRefusedError({ why: 'the payload cannot be written as JSON' }, cause);
  return text;
}

import { ChannelInvalidError } from '../errors/listening-errors.js';

/** PostgreSQL cuts a longer name after LISTEN without an error, and refuses it after NOTIFY (NAMEDATALEN less one). */
const longestBytes = 63;

/** @throws ChannelInvalidError for a name that the server would refuse, or would take for another one. */
export function assertChannel(name: string): void {
  const why = faultOf(name);
  if (why !== undefined) throw new ChannelInvalidError(why);
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.includes('\0') || !name.isWellFormed()) return 'it holds a character that PostgreSQL cannot store';
  const bytes = Buffer.byteLength(name);
  return bytes > longestBytes ? `it has ${bytes} bytes, and ${longestBytes} is the most` : undefined;
}

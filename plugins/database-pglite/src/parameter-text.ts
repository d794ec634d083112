/**
 * Returns a JavaScript value as PostgreSQL reads it: text, bytes, or null. Sends the same texts as pg, so that a service does
 * not notice which of the two drivers it runs on.
 */
export function parameterText(value: unknown): string | Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof Date) return localTimestamp(value);
  if (Array.isArray(value)) return arrayLiteral(value);
  if (typeof value !== 'object') return String(value);
  return hasToPostgres(value) ? parameterText(value.toPostgres(parameterText)) : JSON.stringify(value);
}

function hasToPostgres(value: object): value is { toPostgres(prepare: typeof parameterText): unknown } {
  return 'toPostgres' in value && typeof value.toPostgres === 'function';
}

function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(element).join(',')}}`;
}

function element(value: unknown): string {
  if (Array.isArray(value)) return arrayLiteral(value);
  const text = parameterText(value);
  if (text === null) return 'NULL';
  return typeof text === 'string' ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `\\\\x${Buffer.from(text).toString('hex')}`;
}

/** Wall clock and offset: a `timestamp` keeps the first, a `timestamptz` uses both. */
function localTimestamp(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const year = date.getFullYear();
  const bc = year < 1;
  const day = `${digits(bc ? 1 - year : year, 4)}-${digits(date.getMonth() + 1)}-${digits(date.getDate())}`;
  const time = `${digits(date.getHours())}:${digits(date.getMinutes())}:${digits(date.getSeconds())}`;
  const zone = `${offset < 0 ? '-' : '+'}${digits(Math.floor(Math.abs(offset) / 60))}:${digits(Math.abs(offset) % 60)}`;
  return `${day}T${time}.${digits(date.getMilliseconds(), 3)}${zone}${bc ? ' BC' : ''}`;
}

function digits(value: number, length = 2): string {
  return String(value).padStart(length, '0');
}

/**
 * Values in the text format of COPY (PostgreSQL 18 manual, COPY, "Text Format"): columns end with a tab, rows with a
 * newline, `\N` is null, and what would be read as one of these is written with a backslash.
 */
const special = /[\\\n\r\t\b\f\v]/g;

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

/** The value of one column in a row. */
export function copyField(text: string | null): string {
  if (text === null) return '\\N';
  return text.search(special) === -1 ? text : text.replace(special, character => escapes[character] ?? character);
}

/** How a value of JavaScript is written for PostgreSQL; `dateText` knows the time zone. */
export function textOf(value: unknown, dateText: (date: Date) => string): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return String(value);
  if (value instanceof Date) return dateText(value);
  if (ArrayBuffer.isView(value)) return bytesText(value);
  if (Array.isArray(value)) return arrayText(value, dateText);
  return JSON.stringify(value);
}

/** An array literal (manual, 8.15.6). */
export function arrayText(values: readonly unknown[], dateText: (date: Date) => string): string {
  const elements = values.map(value => {
    const text = textOf(value, dateText);
    if (text === null) return 'NULL';
    return Array.isArray(value) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${elements.join(',')}}`;
}

function bytesText(view: ArrayBufferView): string {
  return `\\x${Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex')}`;
}

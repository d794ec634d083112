import type { Statement } from './driver.js';

/**
 * Something that PostgreSQL cannot hold, seen before it was sent. It bears the SQLSTATE with which a server would refuse
 * it, so that it is reported as a refusal; nothing in it is of the value.
 */
export class UnstorableValue extends Error {
  readonly code: string;
  readonly severity = 'ERROR';
  /** The server was not asked: nothing is known of it. */
  readonly unsent = true;

  constructor({ code, message }: Fault) {
    super(message);
    this.name = 'UnstorableValue';
    this.code = code;
  }
}

interface Fault {
  readonly code: string;
  readonly message: string;
}

const nul = { code: '22021', message: 'a text holds a NUL character' };
const surrogate = { code: '22021', message: 'a text holds half of a surrogate pair' };
const noDate = { code: '22007', message: 'a date is not valid' };
const tooLong = { code: '54000', message: 'a value is longer than 1 GB' };

/** No message of the protocol, and no value, may be longer (PostgreSQL manual, appendix K). */
const longestBytes = 2 ** 30 - 1;

/**
 * What of the statements cannot be sent as it is. A NUL would end the text of a statement early, so that the server takes
 * the rest for a broken message; half of a surrogate pair would become another character without a word. What depends
 * on the type of a column (ranges, formats) only the server knows.
 */
export function unstorable(statements: readonly Statement[]): UnstorableValue | undefined {
  for (const { sql, parameters = [] } of statements) {
    const fault = faultOfText(sql) ?? firstFault(parameters);
    if (fault !== undefined) return new UnstorableValue(fault);
  }
  return undefined;
}

/** True for a text that PostgreSQL can hold. */
export function isStorable(text: string): boolean {
  return faultOfText(text) === undefined;
}

function faultOfText(text: string): Fault | undefined {
  if (text.includes('\0')) return nul;
  if (!text.isWellFormed()) return surrogate;
  // Three bytes are the most that one unit of a text takes.
  return text.length > longestBytes / 3 && Buffer.byteLength(text) > longestBytes ? tooLong : undefined;
}

function firstFault(values: readonly unknown[]): Fault | undefined {
  for (const value of values) {
    const fault = faultOf(value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOf(value: unknown): Fault | undefined {
  if (typeof value === 'string') return faultOfText(value);
  if (Array.isArray(value)) return firstFault(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? noDate : undefined;
  return ArrayBuffer.isView(value) && value.byteLength > longestBytes ? tooLong : undefined;
}

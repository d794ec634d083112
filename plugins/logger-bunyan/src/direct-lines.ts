import type { CorrelationContext, Facts, LogLevel, Mask } from '@keelson/core';
import { levelNumber } from './level-number.js';
import type { PlainKeys } from './plain-keys.js';

/** Stands between texts that are masked in one go. No secret reaches over it. */
const separator = '\n;';
/** The mask cuts an object that has more. */
const mostFacts = 100;

/**
 * Writes the usual record as a line without making the record first: its facts are strings, finite numbers, booleans and
 * null, nothing in it is masked, and no key is there twice. The line is the one that bunyan and `JSON.stringify` give.
 */
export class DirectLines {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #keys: PlainKeys;
  readonly #mask: Mask;
  /** What the lines of each level begin with. */
  readonly #starts = new Map<LogLevel, string>();

  /** `fields` are in every line: JSON values without secrets. */
  constructor(fields: Readonly<Record<string, unknown>>, keys: PlainKeys, mask: Mask) {
    this.#fields = fields;
    this.#keys = keys;
    this.#mask = mask;
  }

  /** Undefined for any other record. */
  lineOf(level: LogLevel, message: string, facts: Facts | undefined, ids: CorrelationContext = {}): string | undefined {
    try {
      return this.#lineOf(level, message, facts, ids);
    } catch {
      return undefined; // a getter that throws
    }
  }

  #lineOf(level: LogLevel, message: string, facts: Facts | undefined, context: CorrelationContext): string | undefined {
    if (typeof message !== 'string') return undefined;
    const ids = this.#ids(context);
    const body = facts === undefined ? { text: '', masked: '' } : this.#body(facts, context);
    if (ids === undefined || body === undefined) return undefined;
    const shown = message + body.masked;
    if (this.#mask(shown) !== shown) return undefined;
    return `${this.#start(level)}${ids}${body.text},"msg":${JSON.stringify(message)},"time":"${timeNow()}","v":0}`;
  }

  #start(level: LogLevel): string {
    const known = this.#starts.get(level);
    if (known !== undefined) return known;
    const record = { ...this.#fields, level: levelNumber(level) };
    const start = JSON.stringify(record).slice(0, -1);
    this.#starts.set(level, start);
    return start;
  }

  #ids(context: CorrelationContext): string | undefined {
    let text = '';
    for (const [key, value] of Object.entries(context)) {
      if (value === undefined) continue;
      if (typeof value !== 'string' || !this.#keys.mayHold(key) || key in this.#fields) return undefined;
      text += `,"${key}":${JSON.stringify(value)}`;
    }
    return text;
  }

  /** The facts as JSON, and their strings as the mask is to see them. */
  #body(facts: Facts, context: CorrelationContext): { readonly text: string; readonly masked: string } | undefined {
    if (!isRecord(facts)) return undefined;
    const keys = Object.keys(facts);
    if (keys.length > mostFacts) return undefined;
    let text = '';
    let masked = '';
    for (const key of keys) {
      const value = facts[key];
      if (value === undefined) continue;
      if (!isScalar(value) || !this.#keys.has(key) || key in this.#fields) return undefined;
      if (typeof value === 'string') masked += separator + value;
      if (!isIdKey(key, context)) text += `,"${key}":${JSON.stringify(value)}`;
      // The line has it already: an access line names the session of its request, which may still be that of its context.
      else if (context[key] !== value) return undefined;
    }
    return { text, masked };
  }
}

function isIdKey(key: string, context: CorrelationContext): key is keyof CorrelationContext {
  return key in context;
}

function isRecord(facts: unknown): boolean {
  return typeof facts === 'object' && facts !== null && Object.getPrototypeOf(facts) === Object.prototype;
}

function isScalar(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' || typeof value === 'boolean' || value === null;
}

let timeMs = 0;
let time = '';

function timeNow(): string {
  const nowMs = Date.now();
  if (nowMs === timeMs) return time;
  timeMs = nowMs;
  time = new Date(nowMs).toISOString();
  return time;
}

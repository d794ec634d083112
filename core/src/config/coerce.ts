import bytes from 'bytes';
import ms, { type StringValue } from 'ms';
import type { Scalar } from './node.js';
import type { Shape } from './shape.js';

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
};

/**
 * What the text of a variable means where `alternatives` are allowed: a number, a boolean, a list (`a, b`), or itself.
 * Text that means none of what is allowed stays text, and the schema refuses it.
 */
export function coerceText(text: string, alternatives: readonly Shape[]): Scalar | readonly string[] {
  const types = new Set(alternatives.flatMap(typesOf));
  const trimmed = text.trim();
  if ((types.has('number') || types.has('integer')) && decimal.test(trimmed)) return Number(trimmed);
  if (types.has('boolean')) {
    const truth = truths[trimmed.toLowerCase()];
    if (truth !== undefined) return truth;
  }
  if (types.has('array') && !types.has('string')) {
    return trimmed === '' ? [] : trimmed.split(',').map(item => item.trim());
  }
  return text;
}

/** A number as a person writes it. Other forms of JavaScript (`0x10`, `Infinity`) are refused. */
const decimal = /^[+-]?(\d+(\.\d+)?|\.\d+)(e[+-]?\d+)?$/i;

/** As the parsers below understand them; they skip what stands behind a number when they do not know it. */
const duration = /^-?\d+(\.\d+)?\s*(ms|s|m|h|d)$/;
const size = /^(-?\d+(?:\.\d+)?)\s*(?:b|([kmg])(?:i?b)?)$/i;

/** The same for JSON Schema, by the key: what a number may be written as, or undefined where a number is a number. */
export function unitPattern(key: string): string | undefined {
  if (/ms$/i.test(key)) return String.raw`^\d+(\.\d+)?\s*(ms|s|m|h|d)$`;
  if (/bytes$/i.test(key)) return String.raw`^\d+(\.\d+)?\s*([bB]|[kKmMgG]([iI]?[bB])?)$`;
  return undefined;
}

/**
 * `5s` for a key in `Ms`, `10mb` for a key in `Bytes`, where k, m and g count in 1024 however they are written;
 * undefined when `text` is neither, or the key takes neither.
 */
export function coerceUnit(text: string, key: string, alternatives: readonly Shape[]): number | undefined {
  if (!alternatives.flatMap(typesOf).some(type => type === 'number' || type === 'integer')) return undefined;
  const trimmed = text.trim();
  if (/ms$/i.test(key)) return duration.test(trimmed) ? finite(ms(trimmed as StringValue)) : undefined;
  return /bytes$/i.test(key) ? sizeOf(trimmed) : undefined;
}

function sizeOf(text: string): number | undefined {
  const [, amount, unit] = size.exec(text) ?? [];
  if (amount === undefined) return undefined;
  return unit === undefined ? Number(amount) : finite(bytes.parse(`${amount}${unit}b`) ?? undefined);
}

/** How a value of that key may also be written, for the person who wrote it wrongly. */
export function unitHint(key: string): string {
  if (/ms$/i.test(key)) return ' (milliseconds, or 500ms, 5s, 2m, 1h)';
  if (/bytes$/i.test(key)) return ' (bytes, or 512kb, 10mb, 1gb, where a kb is 1024 bytes)';
  return '';
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

function typesOf(shape: Shape): readonly string[] {
  if (shape.type === undefined) return shape.enum === undefined ? [] : [typeof shape.enum[0]];
  return typeof shape.type === 'string' ? [shape.type] : shape.type;
}

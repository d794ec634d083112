import type { Mask } from '../secrets/create-mask.js';
import { describeError } from '../secrets/describe-error.js';

/** Masked facts as fields of a record: `error` becomes `err`, and facts under a reserved name move under `facts`. */
export function fieldsOf(copied: unknown, copy: Mask, reserved: ReadonlySet<string>): Record<string, unknown> {
  if (typeof copied !== 'object' || copied === null) return copied === undefined ? {} : { facts: copied };
  const fields: Record<string, unknown> = {};
  const moved: [string, unknown][] = [];
  for (const [key, value] of Object.entries(copied)) {
    if (key === 'error') fields.err = typeof value === 'object' ? value : describeError(value, copy);
    else if (reserved.has(key)) moved.push([key, value]);
    else fields[key] = value;
  }
  return moved.length === 0 ? fields : { ...fields, facts: Object.fromEntries(moved) };
}

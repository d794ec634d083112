import type { z } from 'zod';

/** Also for a schema of another copy of zod. */
export function isSchema(value: object): value is z.ZodType {
  return '_zod' in value;
}

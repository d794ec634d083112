import { z } from 'zod';
import { errorCodes } from '../error-codes.js';
import type { PgliteError } from '../errors.js';

/** What a service sends first: its process. */
export const hello = z.object({ pid: z.int() });

/** What it gets for that: the database is open, or why it is not. */
export const welcome = z.discriminatedUnion('is', [
  z.object({ is: z.literal('open') }),
  z.object({
    is: z.literal('refused'),
    code: z.enum(errorCodes),
    message: z.string(),
    hint: z.string(),
    facts: z.record(z.string(), z.unknown()),
    cause: z.string(),
  }),
]);

export type Hello = z.output<typeof hello>;
export type Welcome = z.output<typeof welcome>;

export function refusal({ code, message, hint = '', facts, cause }: PgliteError): Welcome {
  return { is: 'refused', code, message, hint, facts, cause: cause instanceof Error ? cause.message : '' };
}

export function toBytes(message: Hello | Welcome): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}

export function toJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}

import { z } from 'zod';

/** What the process of the service reports to `keelson dev`. */
export const report = z.discriminatedUnion('is', [
  /** The values in force, by path, masked; sent before anything starts. */
  z.object({ is: z.literal('planned'), values: z.record(z.string(), z.string()) }),
  z.object({ is: z.literal('ready') }),
  /** Asks for a process that outlives this one. */
  z.object({ is: z.literal('keep'), file: z.string(), words: z.array(z.string()) }),
]);

export type Report = z.output<typeof report>;

/** What `keelson dev` sends to it: load packages and wait, start, or stop in order. */
export const order = z.discriminatedUnion('is', [
  z.object({ is: z.literal('prepare'), packages: z.array(z.string()) }),
  z.object({ is: z.literal('start') }),
  z.object({ is: z.literal('stop') }),
  /** Answers the oldest `keep` that has no answer yet. */
  z.object({ is: z.literal('kept'), address: z.string().optional(), failure: z.string().optional() }),
]);

export type Order = z.output<typeof order>;

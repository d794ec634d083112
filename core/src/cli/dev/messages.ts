import { z } from 'zod';

/** What the process of the service reports to `keelson dev`. */
export const report = z.discriminatedUnion('is', [
  /** The values in force, by path, masked; sent before anything starts. */
  z.object({ is: z.literal('planned'), values: z.record(z.string(), z.string()) }),
  z.object({ is: z.literal('ready') }),
]);

export type Report = z.output<typeof report>;

/** What `keelson dev` sends to it: load packages and wait, start, or stop in order. */
export const order = z.discriminatedUnion('is', [
  z.object({ is: z.literal('prepare'), packages: z.array(z.string()) }),
  z.object({ is: z.literal('start') }),
  z.object({ is: z.literal('stop') }),
]);

export type Order = z.output<typeof order>;

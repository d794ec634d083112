import { z } from 'zod';

const ruleSchema = z
  .strictObject({
    target: z
      .string()
      .min(1)
      .describe(
        'Which calls: those to this target (`database`, `api.example.com`), those with this text before the first dot ' +
          'of their name (`http-client`), or those with this name (`database.session`).',
      ),
    kind: z
      .enum(['latency', 'error', 'refusal', 'pool-exhaustion'])
      .describe(
        'latency: the attempt begins later. error: it fails with `code`. refusal: as if the port were closed. ' +
          'pool-exhaustion: as if no connection became free. Except for latency, the work does not run.',
      ),
    probability: z.number().min(0).max(1).describe('The share of attempts that get the fault, 0 to 1.'),
    latencyMs: z
      .number()
      .min(0)
      .max(3_600_000)
      .default(0)
      .describe('Delay of the attempt, in milliseconds; a failing attempt fails after this delay.'),
    code: z
      .string()
      .min(1)
      .optional()
      .describe('For kind error: the code its cause carries, as `ECONNRESET` or `57P01`. Default: ECONNRESET.'),
    seed: z
      .number()
      .int()
      .default(1)
      .describe('Chooses the attempts that get the fault: the same seed chooses the same attempts.'),
  })
  .refine(rule => rule.kind !== 'latency' || rule.latencyMs > 0, {
    path: ['latencyMs'],
    error: 'must be above 0 for kind latency',
  })
  .refine(rule => rule.kind === 'error' || rule.code === undefined, {
    path: ['code'],
    error: 'is only for kind error',
  });

export const faultsOptionsSchema = z.strictObject({
  allowInProduction: z
    .boolean()
    .default(false)
    .describe('False: with rules, the service does not start in the environment `production` or `prod`.'),
  rules: z.array(ruleSchema).default([]).describe('The faults to inject. Without rules, nothing is wrapped.'),
});

export type FaultRule = z.infer<typeof ruleSchema>;
/** The configuration under `faults`, with defaults. */
export type FaultsOptions = z.infer<typeof faultsOptionsSchema>;

import { defineManifest, HealthService, HttpClient, HttpServer } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { HttpRoutes } from '@keelson/http/contract';
import { z } from 'zod';
import { importCommand } from './products/import/import-command.js';

const payments = z.strictObject({
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be three capital letters')
    .default('EUR')
    .describe('The currency of all prices (ISO 4217).'),
  everyMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(10_000)
    .describe(
      'How often unsettled payments are checked, in milliseconds; new payments are checked when they are placed.',
    ),
  leaseMs: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(60_000)
    .describe(
      'Time after which another instance takes over a payment whose instance has died, in milliseconds. Set it longer than an answer takes.',
    ),
});

const options = z.strictObject({
  welcome: z.boolean().default(false).describe('Prints the address and three commands to try, once it listens.'),
  payments: payments.prefault({}),
});

export type OrdersOptions = z.output<typeof options>;

/** The manifest of the service, apart from the plugin, so that `keelson check` imports neither MikroORM nor express. */
export default defineManifest<OrdersOptions>({
  name: 'orders',
  config: options,
  requires: [DatabaseService, HttpServer, HttpRoutes],
  optional: [HealthService, HttpClient],
  commands: { import: importCommand },
});

import { defineManifest, HttpClient, HttpServer } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { HttpRoutes } from '@keelson/http/contract';
import { z } from 'zod';

const options = z.strictObject({
  welcome: z.boolean().default(false).describe('Prints the address and three commands to try, once it listens.'),
});

export type OrdersOptions = z.output<typeof options>;

/** The manifest of the service, apart from the plugin, so that `keelson check` imports neither MikroORM nor express. */
export default defineManifest<OrdersOptions>({
  name: 'orders',
  config: options,
  requires: [DatabaseService, HttpServer, HttpRoutes],
  optional: [HttpClient],
});

import { expect, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../contract/clock.js';
import { definePlugin } from '../contract/plugin.js';
import { HttpServer } from '../contract/slots/http-server.js';
import { Metrics } from '../contract/slots/metrics.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { serviceFolder } from '../life/service.fixture.js';
import { createTestKernel } from './test-kernel.js';

const Mail: ServiceToken<{ send(to: string): void }> = serviceToken('test/Mail');
const database: ServiceToken<object> = serviceToken('@keelson/database/DatabaseService');

const outbox = definePlugin<{ everyMs: number }>({
  name: 'outbox',
  config: z.object({ everyMs: z.int().default(1_000) }),
  requires: [Mail, database],
  start({ container, clock, config, logger }) {
    clock.schedule(config.everyMs, () => {
      container.get(Mail).send('someone');
      logger.info('outbox sent', { count: 1 });
    });
  },
});

test('starts plugins on doubles, with time, logs, spans and metrics in the hands of the test', async () => {
  const sent: string[] = [];
  await using kernel = await createTestKernel({
    plugins: [outbox],
    slots: { database: {} },
    services: [[Mail, { send: (to: string) => sent.push(to) }]],
    values: { outbox: { everyMs: 60_000 } },
  });
  await kernel.clock.advance(59_999);
  expect(sent).toEqual([]);
  await kernel.clock.advance(1);
  expect(sent).toEqual(['someone']);
  expect(kernel.logger.find('outbox sent')?.facts).toEqual({ plugin: 'outbox', count: 1 });
  await kernel.container.get(Telemetry).span({ name: 'a.b', operation: 'job' }, async () => {});
  expect(kernel.telemetry.spans()).toHaveLength(1);
  expect(kernel.container.get(Metrics)).toBe(kernel.metrics);
});

test('starts a whole service from its configuration, with some slots replaced', async () => {
  using folder = serviceFolder({
    'keelson.yaml': { service: 'shop', plugins: { logger: { use: 'not-installed' }, orders: { use: './orders.js' } } },
    'orders.js': `export default { name: 'orders', requires: [Symbol.for('@keelson/core/HttpServer')], start({ logger }) { logger.info('up'); } };`,
  });
  const http = { url: 'http://localhost', router() {}, session() {} };
  await using kernel = await createTestKernel({ config: folder.config, slots: { http }, clock: systemClock });
  expect(kernel.container.get(HttpServer)).toBe(http);
  expect(kernel.logger.find('up')?.facts).toEqual({ plugin: 'orders' });
  expect(kernel.clock).toBe(systemClock);
});

test('refuses a double for a slot that does not exist', async () => {
  await expect(createTestKernel({ slots: { databse: {} } })).rejects.toThrow('Slot databse does not exist');
});

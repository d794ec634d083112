import { definePlugin, type ServiceToken, serviceToken } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import { z } from 'zod';

interface Mail {
  send(to: string): void;
}
const Mail: ServiceToken<Mail> = serviceToken('notes/Mail');

const reminder = definePlugin<{ everyMs: number }>({
  name: 'reminder',
  config: z.object({ everyMs: z.int().default(60_000) }),
  requires: [Mail],
  start({ container, clock, config, logger }) {
    clock.schedule(config.everyMs, () => {
      container.get(Mail).send('ada@example.org');
      logger.info('reminder sent');
    });
  },
});

test('a reminder is sent after a minute', async () => {
  const sent: string[] = [];
  await using kernel = await createTestKernel({
    plugins: [reminder], // what is tested
    services: [[Mail, { send: (to: string) => sent.push(to) }]], // what it requires, as doubles
    values: { reminder: { everyMs: 60_000 } }, // its configuration
  });
  await kernel.clock.advance(59_999);
  expect(sent).toEqual([]);
  await kernel.clock.advance(1);
  expect(sent).toEqual(['ada@example.org']);
  expect(kernel.logger.findAll('reminder sent')).toHaveLength(1);
});

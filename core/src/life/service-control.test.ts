import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineOperation } from '../contract/operation.js';
import { definePlugin } from '../contract/plugin.js';
import { Kernel } from './kernel.js';
import { serviceFolder } from './service.fixture.js';
import { ServiceControl } from './service-control.js';

const bell = definePlugin<{ sound: string; password: string }>({
  name: 'bell',
  config: z.object({ sound: z.string().default('ding'), password: z.string().meta({ secret: true }) }),
  start: ({ config }) => ({
    inspect: () => ({ facts: { rings: 3 } }),
    operations: {
      ring: defineOperation({
        description: 'Rings.',
        arguments: z.object({ times: z.int() }),
        run: ({ times }) => `${config.sound} ${times}`,
      }),
    },
  }),
});

const password = 'pw-that-nobody-sees';

test('a plugin sees the service as its operator does: plan with origins, status, start report, operations', async () => {
  using folder = serviceFolder({ 'keelson.yaml': { service: 'shop' } });
  const overrides = { plugins: { bell: { password } } };
  await using kernel = await Kernel.start({ config: folder.config, plugins: { bell }, overrides, variables: {} });
  const control = kernel.container.get(ServiceControl);

  const { service, groups } = await control.explain();
  expect(service).toBe('shop');
  const values = groups.find(({ key }) => key === 'bell')?.values;
  expect(values).toMatchObject([
    { path: 'bell.sound', value: 'ding', origin: 'default' },
    { path: 'bell.password', value: '[masked]', origin: 'code' },
  ]);
  expect(await control.status()).toMatchObject({ phase: 'ready', plugins: [{ key: 'bell', facts: { rings: 3 } }] });
  expect(await control.startReport()).toMatchObject({
    outcome: 'ready',
    plugins: [{ key: 'bell', outcome: 'started' }],
  });
  expect(await control.operate('bell', 'ring', ['2'])).toBe('ding 2');
  expect(control.identity).toMatchObject({ config: folder.config, directory: undefined });
  expect(JSON.stringify([await control.explain(), await control.startReport()])).not.toContain(password);
});

test('while the service starts, a plugin sees how far it is, and can do nothing to it', async () => {
  const seen: unknown[] = [];
  const curious = definePlugin({
    name: 'curious',
    requires: [ServiceControl],
    async start({ container }) {
      const control = container.get(ServiceControl);
      seen.push((await control.status()).phase, await control.startReport());
      seen.push(await control.operate('bell', 'ring', ['2']).catch((error: { code: string }) => error.code));
    },
  });
  await using _kernel = await Kernel.start({ config: { service: 'shop' }, plugins: { curious }, variables: {} });
  expect(seen).toEqual(['starting', undefined, 'CONTROL_STILL_STARTING']);
});

test('no plugin can take its place', async () => {
  const thief = definePlugin({
    name: 'thief',
    register: ({ bind }) => void bind(ServiceControl).toConstantValue(kept),
  });
  const kept = {} as ServiceControl;
  await expect(Kernel.start({ config: { service: 'shop' }, plugins: { thief }, variables: {} })).rejects.toMatchObject({
    code: 'KERNEL_START_FAILED',
  });
});

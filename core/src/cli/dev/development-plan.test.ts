import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin } from '../../contract/plugin.js';
import { Logger } from '../../contract/slots/logger.js';
import { serviceToken } from '../../contract/token.js';
import { Kernel } from '../../life/kernel.js';
import { testServiceFolder } from '../../life/service.fixture.js';
import { differences, forDevelopment, valuesOf } from './development-plan.js';

const validateAtStart = z.enum(['off', 'warn', 'fail']).default('off');
const modules = {
  './database.js': definePlugin({
    name: 'database',
    slot: 'database',
    provides: [serviceToken('@keelson/database/DatabaseService')],
    config: z.strictObject({
      schema: z.strictObject({ validateAtStart }).prefault({}),
      url: z.string().default('').meta({ secret: true }),
    }),
  }),
  './logger.js': definePlugin({
    name: 'log',
    slot: 'logger',
    provides: [Logger],
    config: z.strictObject({ format: z.enum(['json', 'pretty']).optional() }),
  }),
};

async function planned(database: object = {}, logger: object = {}) {
  const plugins = { database: { use: './database.js', ...database }, logger: { use: './logger.js', ...logger } };
  const folder = testServiceFolder({ 'keelson.yaml': { shutdown: { noticeMs: 5_000 }, plugins } });
  const plan = await Kernel.plan({ config: folder.config, variables: {}, modules });
  expect(plan.problems).toEqual([]);
  return plan;
}

const configs = (plan: Awaited<ReturnType<typeof planned>>) =>
  Object.fromEntries(plan.levels.flat().map(({ key, config }) => [key, config]));

test('in development, databases compare their tables, logs are for a person, and a stop has no notice', async () => {
  const plan = forDevelopment(await planned());
  expect(configs(plan)).toMatchObject({
    database: { schema: { validateAtStart: 'warn' } },
    logger: { format: 'pretty' },
  });
  expect(plan.settings.shutdown).toMatchObject({ noticeMs: 0, drainMs: 1_000 });
});

test('what the configuration chooses stays', async () => {
  const chosen = await planned({ schema: { validateAtStart: 'off' } }, { format: 'json' });
  expect(configs(forDevelopment(chosen))).toMatchObject({
    database: { schema: { validateAtStart: 'off' } },
    logger: { format: 'json' },
  });
});

test('differences are one line for each value, without secrets, and one for a plugin that is replaced', async () => {
  const one = valuesOf(await planned({ url: 'first-secret' }));
  const other = valuesOf(
    await planned({ url: 'other-secret', schema: { validateAtStart: 'fail' } }, { format: 'json' }),
  );
  expect(differences(one, other)).toEqual([
    'database.schema.validateAtStart: "off" -> "fail"',
    'logger.format: (none) -> "json"',
  ]);
  expect(differences(one, { ...other, 'database.use': './next.js' })).toEqual([
    'database.use: ./database.js -> ./next.js',
    'logger.format: (none) -> "json"',
  ]);
});

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ConfigFinding, ConfigToCheck } from '../contract/config-finding.js';
import { definePlugin, type Plugin } from '../contract/plugin.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { Kernel } from '../life/kernel.js';
import { testServiceFolder } from '../life/service.fixture.js';
import { failing } from '../life/start.fixture.js';

const config = z.object({
  rules: z.array(z.string()).default([]),
  pool: z.object({ min: z.int().default(0), max: z.int().default(10) }).prefault({}),
  pin: z.string().default('0000').meta({ secret: true }),
});

type Config = z.infer<typeof config>;

const found = (...findings: ConfigFinding[]) => checking(() => findings);
const checking = (check: (given: ConfigToCheck<Config>) => readonly ConfigFinding[]) =>
  definePlugin<Config>({ name: 'mail', config, check });

/** The plan of `plugin` under the key `mail`, with that file. */
async function planOf(plugin: Plugin<Config>, file: string, environment?: string) {
  const folder = testServiceFolder({ 'keelson.yaml': file, 'keelson.production.yaml': '' });
  const plugins = { mail: plugin as Plugin };
  return Kernel.plan({
    config: folder.config,
    plugins,
    variables: {},
    ...(environment !== undefined && { environment }),
  });
}

const file = 'service: shop\nplugins:\n  mail:\n    rules: [a]\n    pool: { min: 20 }\n    pin: "1234"\n';

describe('a finding of a manifest', () => {
  test('is a problem of the plan, with the place of the value', async () => {
    const finding = { path: ['pool', 'min'], message: 'The least is more than the most.', action: 'Lower it.' };
    const { problems } = await planOf(found(finding), file);
    expect(problems).toMatchObject([
      {
        code: 'CONFIG_VALUE_INVALID',
        path: 'plugins.mail.pool.min',
        message: 'The least is more than the most.',
        origin: { from: 'file', place: { line: 5, column: 18 } },
        value: '20',
        action: 'Lower it.',
      },
    ]);
  });

  test('about a value that nothing sets has the place of the map above it', async () => {
    const finding = { path: ['pool', 'max'], message: 'Too few.', action: 'Raise it.' };
    const { problems } = await planOf(found(finding), file);
    expect(problems).toMatchObject([{ origin: { place: { line: 5, column: 11 } } }]);
    expect(problems[0]).not.toHaveProperty('value');
  });

  test('about the plugin as a whole has the place where it was chosen', async () => {
    const { problems } = await planOf(found({ message: 'Not today.', code: 'MAIL_CLOSED', action: 'Wait.' }), file);
    expect(problems).toMatchObject([{ code: 'MAIL_CLOSED', path: 'plugins.mail', origin: { from: 'code' } }]);
  });

  test('shows no secret', async () => {
    const { problems } = await planOf(found({ path: ['pin'], message: 'Too short.', action: 'Lengthen it.' }), file);
    expect(problems).toMatchObject([{ path: 'plugins.mail.pin', value: '[masked]' }]);
  });

  test('is reported together with all other problems', async () => {
    const { problems } = await planOf(
      found({ message: 'a', action: 'b' }, { message: 'c', action: 'd' }),
      `${file}x: 1`,
    );
    expect(problems.map(problem => problem.code)).toEqual([
      'CONFIG_VALUE_INVALID',
      'CONFIG_VALUE_INVALID',
      'CONFIG_KEY_UNKNOWN',
    ]);
  });
});

describe('the check of a manifest', () => {
  test('of the telemetry is asked before it hooks anything', async () => {
    const telemetry = definePlugin({
      name: 'tracing',
      slot: 'telemetry',
      provides: [Telemetry],
      check: () => [{ message: 'Not here.', action: 'Elsewhere.' }],
      instrument: () => expect.unreachable(),
    });
    const error = await failing({ plugins: { telemetry } });
    expect(error).toMatchObject({ code: 'KERNEL_PLAN_INVALID', problems: [{ path: 'plugins.telemetry' }] });
  });

  test('is given the values with their defaults, the service and the environment', async () => {
    const given: unknown[] = [];
    const plugin = checking(all => {
      given.push(all);
      return [];
    });
    expect((await planOf(plugin, file, 'production')).problems).toEqual([]);
    expect(given).toEqual([
      {
        config: { rules: ['a'], pool: { min: 20, max: 10 }, pin: '1234' },
        service: 'shop',
        environment: 'production',
        key: 'mail',
      },
    ]);
  });

  test('is not asked when the schema has refused the values', async () => {
    const plugin = checking(() => expect.unreachable());
    const { problems } = await planOf(plugin, file.replace('20', 'many'));
    expect(problems).toMatchObject([{ code: 'CONFIG_VALUE_INVALID', path: 'plugins.mail.pool.min' }]);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('a slip');
      },
      'its check threw: a slip',
    ],
    ['returns a promise', async () => [], 'its check did not return a list of findings'],
    ['returns a value that is not a finding', () => ['wrong'], 'its check did not return a list of findings'],
  ])('that %s makes the plugin unusable, and the plan says so', async (_what, check, said) => {
    const { problems } = await planOf(checking(check as never), file);
    expect(problems).toMatchObject([{ code: 'PLUGIN_INVALID', path: 'plugins.mail.use' }]);
    expect(problems[0]?.message).toContain(said);
  });
});

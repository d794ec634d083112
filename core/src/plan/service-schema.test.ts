import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin } from '../contract/plugin.js';
import { Kernel } from '../life/kernel.js';
import { serviceSchema } from './service-schema.js';

const limits = definePlugin({
  name: 'limits',
  config: z
    .object({
      waitMs: z.int(),
      bodyBytes: z.int(),
      most: z.int(),
      fast: z.boolean(),
      level: z.enum(['low', 'high']),
      code: z.string().regex(/^[A-Z]{3}$/),
      link: z.url(),
    })
    .partial(),
});

async function textsFor(key: string) {
  const plan = await Kernel.plan({ config: {}, plugins: { limits } });
  const { plugins } = serviceSchema(plan.plugins).properties ?? {};
  const allowed = plugins?.properties?.limits?.properties?.[key]?.anyOf as readonly { pattern?: string }[];
  const patterns = allowed.flatMap(({ pattern }) => (pattern === undefined ? [] : [new RegExp(pattern)]));
  return (text: string) => patterns.some(pattern => pattern.test(text));
}

describe('the schema for editors', () => {
  test('marks a slip in a plugin that no file uses yet, and in the key of a slot', () => {
    const manifest = { name: 'pino', slot: 'logger', config: z.object({ level: z.string() }).partial() };
    const mail = { name: 'mail', config: z.object({ host: z.string() }).partial() };
    const schema = serviceSchema(
      [],
      [
        { name: '@acme/pino', slot: 'logger', provides: [], manifest },
        { name: '@acme/mail', provides: [], manifest: mail },
      ],
    );
    const validate = new Ajv2020({ strict: false }).compile(schema);
    const takes = (plugins: object) => validate({ plugins });
    expect(takes({ logger: { use: '@acme/pino', level: 'info' }, mail: { use: '@acme/mail', host: 'a' } })).toBe(true);
    expect(takes({ logger: { use: '@acme/pino', levle: 'info' } })).toBe(false);
    expect(takes({ 'logger/audit': { use: '@acme/pino', levle: 'info' } })).toBe(false);
    expect(takes({ mail: { use: '@acme/mail', hots: 'a' } })).toBe(false);
    expect(takes({ loger: { use: '@acme/pino' } })).toBe(false);
    expect(takes({ logger: { use: './my-logger.js', anything: 1 }, orders: { use: './orders.js', pageSize: 1 } })).toBe(
      true,
    );
    expect(takes({ logger: { level: 'debug' } })).toBe(true); // in an overlay, `use` is left out
  });

  test.each([
    ['waitMs', ['5s', '500 ms', '1.5h', `\${WAIT}`], ['5foo', '10mb', '5s 3', 's']],
    ['bodyBytes', ['10mb', '512 KiB', '1g', '3b', `\${BODY}`], ['10 gigs', '5s', '1tb', '5foo']],
    ['most', [`\${MOST}`], ['5s', '10mb', '12abc']],
    ['fast', [`\${FAST:-true}`], ['12abc', '5s', 'yes']],
    ['level', [`\${LEVEL:-low}`], ['lo']],
    ['code', [`\${CODE}`, 'ABC'], ['abc']],
    ['link', [`\${LINK}`], ['']],
  ])('takes as text for %s what the kernel takes', async (key, taken, refused) => {
    const takes = await textsFor(key);
    expect(taken.filter(text => !takes(text))).toEqual([]);
    expect(refused.filter(takes)).toEqual([]);
  });

  test('knows every key, so that an editor marks a slip: in the settings, in a plugin, and in one of several', async () => {
    const other = definePlugin({ name: 'other', config: z.object({ speed: z.int() }).partial() });
    const plans = [{ limits }, { limits: other }].map(plugins => Kernel.plan({ config: {}, plugins, variables: {} }));
    const drafts = (await Promise.all(plans)).map((plan, index) =>
      plan.plugins.map(plugin => ({ ...plugin, use: `code:${index}` })),
    );
    const one = serviceSchema(drafts[0] ?? []).properties;
    const several = serviceSchema(drafts.flat()).properties?.plugins?.properties?.limits;
    for (const key of ['startup', 'shutdown', 'control'])
      expect(one?.[key]).toMatchObject({ additionalProperties: false });
    expect(one?.plugins?.properties?.limits).toMatchObject({ additionalProperties: false });
    expect(several).toMatchObject({ additionalProperties: false, properties: { use: {}, waitMs: {}, speed: {} } });
    expect(one?.plugins?.additionalProperties).toMatchObject({ additionalProperties: true });
  });
});

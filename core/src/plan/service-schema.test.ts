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

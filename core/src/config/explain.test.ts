import { expect, test } from 'vitest';
import { z } from 'zod';
import { explainValues, formatExplained } from './explain.js';
import { interpolate } from './interpolate.js';
import { merge } from './merge.js';
import type { MapNode } from './node.js';
import { readValues } from './read-values.js';
import { shapeOf } from './shape.js';
import { parseYaml } from './yaml-file.js';

const schema = z.object({
  url: z.string().meta({ secret: true }),
  pool: z.object({ max: z.int().default(10).describe('Most connections.'), min: z.int().optional() }).prefault({}),
  tags: z.array(z.string()).default([]),
  labels: z.record(z.string(), z.string()).optional(),
  replica: z.string().optional(),
});

async function explained(
  base: string,
  overlay: string,
  variables: Record<string, string> = {},
  read: z.ZodType = schema,
) {
  const { node: lower } = parseYaml(base, 'base.yaml');
  const { node: upper } = parseYaml(overlay, 'over.yaml');
  if (lower === undefined || upper === undefined) throw new Error('not YAML');
  const { node } = interpolate(merge(lower, upper) as MapNode, '', { variables, directory: '.' });
  const result = await readValues({ node, schema: read, path: '', variable: () => '' });
  return explainValues(result.node, result.shape, 'db').map(value => `${value.path} ${formatExplained(value)}`);
}

test('every value is listed with its origin and the values it overrides, defaults and unset keys included', async () => {
  const lines = await explained(
    'pool: { max: 5 }\ntags: [a]\nlabels: { x: y }\n',
    `pool: { max: 7 }\nurl: "\${URL}"\n`,
    {
      URL: 'postgresql://me:hunter2@db/x',
    },
  );
  expect(lines).toEqual([
    `db.url [masked]  (over.yaml:2:6 \${URL})`,
    'db.pool.max 7  (over.yaml:1:14, over 5 from base.yaml:1:14)',
    'db.pool.min -  (not set)',
    'db.tags ["a"]  (base.yaml:2:7)',
    'db.labels.x "y"  (base.yaml:3:14)',
    'db.replica -  (not set)',
  ]);
});

test('a secret is shown neither where it was written nor as a default of a reference', async () => {
  const lines = await explained(
    `url: "postgresql://me:hunter2@\${HOST:-hunter3}/x"`,
    `replica: "postgresql://me:hunter4@x"`,
  );
  expect(lines.join('\n')).not.toContain('hunter');
  expect(lines[0]).toBe(`db.url [masked]  (base.yaml:1:6 \${HOST})`);
});

test('true and false are shown, also under the name of a secret', async () => {
  const cors = z.object({ credentials: z.boolean().default(false), tokens: z.boolean().optional() });
  expect(await explained('{}', 'tokens: true', {}, cors)).toEqual([
    'db.credentials false  (default)',
    'db.tokens true  (over.yaml:1:9)',
  ]);
});

test('explain masks every value inside of a secret, and a list of a lower layer that may hold a secret', async () => {
  const secrets = z.object({
    keys: z.record(z.string(), z.string()).default({ a: 'built-in' }).meta({ secret: true }),
    account: z
      .object({ user: z.string().default('guest') })
      .prefault({})
      .meta({ secret: true }),
    pins: z.array(z.string().meta({ secret: true })).default([]),
    hosts: z.array(z.object({ name: z.string(), pin: z.string().meta({ secret: true }) })).default([]),
  });
  const lines = await explained(
    'keys: { a: hidden-1 }\npins: [hidden-2]\nhosts: [{ name: hidden-3, pin: hidden-4 }]\n',
    'keys: { b: hidden-5 }\npins: []\nhosts: []\n',
    {},
    secrets,
  );
  expect(lines).toEqual([
    'db.keys.a [masked]  (base.yaml:1:12)',
    'db.keys.b [masked]  (over.yaml:1:12)',
    'db.account.user [masked]  (default)',
    'db.pins []  (over.yaml:2:7, over [masked] from base.yaml:2:7)',
    'db.hosts []  (over.yaml:3:8, over [masked] from base.yaml:3:8)',
  ]);
});

test('an empty map is listed with the keys that each entry would hold', async () => {
  const policy = z.object({
    attempts: z.int().default(8),
    budget: z.object({ share: z.number().default(0.2) }).prefault({}),
  });
  const read = z.object({
    policies: z.record(z.string(), policy).default({}),
    names: z.record(z.string(), z.string()).default({}),
  });
  expect(await explained('{}', '{}', {}, read)).toEqual([
    'db.policies {}  (default)',
    'db.policies.<name>.attempts 8  (default)',
    'db.policies.<name>.budget.share 0.2  (default)',
    'db.names {}  (default)',
  ]);
  expect(await explained('policies: { slow: { attempts: 2 } }', '{}', {}, read)).toEqual([
    'db.policies.slow.attempts 2  (base.yaml:1:31)',
    'db.policies.slow.budget.share 0.2  (default)',
    'db.names {}  (default)',
  ]);
});

test('the allowed values are listed with the units of the key', () => {
  const shape = shapeOf(z.object({ waitMs: z.int(), bodyBytes: z.int(), most: z.int() }));
  expect(explainValues(undefined, shape, 'x').map(({ allowed }) => allowed)).toEqual([
    'a whole number (milliseconds, or 500ms, 5s, 2m, 1h)',
    'a whole number (bytes, or 512kb, 10mb, 1gb, where a kb is 1024 bytes)',
    'a whole number',
  ]);
});

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type MapNode, mapNode, nodeOf } from './node.js';
import { readValues } from './read-values.js';

const place = { from: 'file', place: { file: 'keelson.yaml', line: 1, column: 1 } } as const;

async function read(schema: z.ZodType, value: object, texts: Record<string, string> = {}) {
  const tree = nodeOf(value, place) as MapNode;
  const entries = Object.entries(texts).map(([key, text]) => {
    const origin = { from: 'variable', name: key } as const;
    return [key, { key: origin, node: { kind: 'scalar', value: text, text: true, origin } as const }] as const;
  });
  const node = mapNode(place, [...tree.entries, ...entries]);
  const variable = (path: readonly PropertyKey[]) => `KEELSON_X__${path.map(String).join('__')}`;
  const result = await readValues({ node, schema, path: 'plugins.x', variable });
  return { value: result.value, problems: result.problems, warnings: result.warnings };
}

describe('text from a variable', () => {
  const schema = z.object({
    port: z.int().optional(),
    debug: z.boolean().optional(),
    hosts: z.array(z.string()).optional(),
    name: z.string().optional(),
    either: z.union([z.number(), z.string()]).optional(),
  });

  test('becomes the number, boolean or list that the schema asks for', async () => {
    const texts = { port: '3000', debug: 'off', hosts: 'a, b', name: '42', either: '7' };
    expect((await read(schema, {}, texts)).value).toEqual({
      port: 3000,
      debug: false,
      hosts: ['a', 'b'],
      name: '42',
      either: 7,
    });
  });

  test.each(['12abc', 'truee', '2', ''])('%j is not a boolean', async debug => {
    expect((await read(schema, {}, { debug })).problems).toMatchObject([
      { code: 'CONFIG_VALUE_INVALID', path: 'plugins.x.debug', allowed: 'true or false' },
    ]);
  });

  test('that means nothing of the kind is refused as it is', async () => {
    const { problems } = await read(schema, {}, { port: 'many' });
    expect(problems).toMatchObject([
      { code: 'CONFIG_VALUE_INVALID', path: 'plugins.x.port', value: '"many"', allowed: 'a whole number' },
    ]);
  });
});

describe('durations and sizes', () => {
  const schema = z.object({ timeoutMs: z.int().min(1), limitBytes: z.int(), count: z.int() }).partial();

  test('may be written with a unit where the key says in which unit it counts', async () => {
    expect((await read(schema, { timeoutMs: '1.5s', limitBytes: '10mb' })).value).toEqual({
      timeoutMs: 1_500,
      limitBytes: 10_485_760,
    });
    expect((await read(schema, { timeoutMs: 20 })).value).toEqual({ timeoutMs: 20 });
  });

  test.each(['512k', '512 K', '512kb', '512 KB', '512KiB', '512kib', '0.5m', '0.5 MiB', '524288b'])(
    'a size of %s is half a mebibyte: every unit counts in 1024',
    async limitBytes => {
      expect((await read(schema, { limitBytes })).value).toEqual({ limitBytes: 524_288 });
      expect((await read(schema, {}, { limitBytes })).value).toEqual({ limitBytes: 524_288 });
    },
  );

  test.each(['10 gigs', '10 gb.', '5foo', '1.2.3kb', '10 mb 5', '1tb', 'kb', '10kbit', '0x10', ''])(
    'a size of %j is refused, in a file and from a variable, with what is allowed',
    async limitBytes => {
      const allowed = 'a whole number (bytes, or 512kb, 10mb, 1gb, where a kb is 1024 bytes)';
      const refused = { code: 'CONFIG_VALUE_INVALID', path: 'plugins.x.limitBytes', allowed };
      expect((await read(schema, { limitBytes })).problems).toMatchObject([refused]);
      expect((await read(schema, {}, { limitBytes })).problems).toMatchObject([refused]);
    },
  );

  test.each(['5 parsecs', '5foo', '1.2.3s', '5s 3', '2ss', '0x10', ''])(
    'a duration of %j is refused, in a file and from a variable',
    async timeoutMs => {
      const refused = { code: 'CONFIG_VALUE_INVALID', path: 'plugins.x.timeoutMs' };
      expect((await read(schema, { timeoutMs })).problems).toMatchObject([refused]);
      expect((await read(schema, {}, { timeoutMs })).problems).toMatchObject([refused]);
    },
  );

  test('are refused where it does not, with what may be written', async () => {
    expect((await read(schema, { count: '5s' })).problems).toMatchObject([{ path: 'plugins.x.count' }]);
    const { problems } = await read(schema, { timeoutMs: 'soon' });
    expect(problems[0]?.allowed).toBe('a whole number of at least 1 (milliseconds, or 500ms, 5s, 2m, 1h)');
  });
});

describe('keys', () => {
  const schema = z.object({
    pool: z.object({ max: z.int().max(10) }).optional(),
    url: z
      .string()
      .meta({ formerly: ['uri'] })
      .optional(),
    old: z.string().meta({ deprecation: 'Use url.' }).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  });

  test('that are unknown are refused at every depth, with the nearest name and without their value', async () => {
    const { problems } = await read(schema, { pol: 1, pool: { max: 1, mxa: 'hunter2' } });
    expect(problems).toMatchObject([
      { code: 'CONFIG_KEY_UNKNOWN', path: 'plugins.x.pol', nearest: 'pool' },
      { code: 'CONFIG_KEY_UNKNOWN', path: 'plugins.x.pool.mxa', nearest: 'max' },
    ]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test('of an open map are free', async () => {
    expect((await read(schema, { labels: { anything: 'a' } })).value).toEqual({ labels: { anything: 'a' } });
  });

  test('that were renamed keep working, with a warning that names the new one', async () => {
    const { value, warnings } = await read(schema, { uri: 'x' });
    expect(value).toEqual({ url: 'x' });
    expect(warnings).toMatchObject([{ code: 'CONFIG_KEY_RENAMED', path: 'plugins.x.uri' }]);
    expect((await read(schema, { url: 'new', uri: 'old' })).value).toEqual({ url: 'new' });
  });

  test('that are deprecated keep working, with a warning that says what to do', async () => {
    const { value, warnings } = await read(schema, { old: 'x' });
    expect(value).toEqual({ old: 'x' });
    expect(warnings).toMatchObject([{ code: 'CONFIG_KEY_DEPRECATED', action: 'Use url.' }]);
  });

  test('of a plugin without a schema are refused', async () => {
    const node = nodeOf({ a: 1 }, place) as MapNode;
    const { problems } = await readValues({ node, schema: undefined, path: 'plugins.x', variable: () => '' });
    expect(problems).toMatchObject([{ code: 'CONFIG_KEY_UNKNOWN', path: 'plugins.x.a' }]);
  });
});

describe('problems', () => {
  test('are reported all at once', async () => {
    const schema = z.object({ a: z.int().max(3), b: z.enum(['red', 'green']), c: z.string().describe('The name.') });
    const { problems, value } = await read(schema, { a: 4, b: 'gren' });
    expect(value).toBeUndefined();
    expect(problems.map(({ code, path, allowed, nearest }) => ({ code, path, allowed, nearest }))).toEqual([
      { code: 'CONFIG_VALUE_INVALID', path: 'plugins.x.a', allowed: 'a whole number of at most 3', nearest: undefined },
      { code: 'CONFIG_VALUE_INVALID', path: 'plugins.x.b', allowed: 'one of red, green', nearest: 'green' },
      { code: 'CONFIG_VALUE_MISSING', path: 'plugins.x.c', allowed: 'text', nearest: undefined },
    ]);
    expect(problems[2]?.message).toBe('plugins.x.c is missing: the name.');
    expect(problems[2]?.action).toContain('KEELSON_X__c');
  });

  test('say which kind of thing was given where another belongs', async () => {
    const schema = z.object({ a: z.int(), b: z.object({ c: z.int() }), d: z.string() }).partial();
    const { problems } = await read(schema, { a: { x: 1 }, b: [1], d: ['x'] });
    expect(problems.map(({ message, allowed }) => [message, allowed])).toEqual([
      ['plugins.x.a is a map of keys.', 'a whole number'],
      ['plugins.x.b is a list.', 'a map of keys'],
      ['plugins.x.d is a list.', 'text'],
    ]);
  });

  test('name the pattern that a text has to match, or the words of the plugin for it', async () => {
    const code = z.string().regex(/^[A-Z]{3}$/);
    const named = z.string().regex(/^[A-Z]{3}$/, 'three capitals');
    const { problems } = await read(z.object({ code, named }), { code: 'x', named: 'x' });
    expect(problems.map(({ allowed }) => allowed)).toEqual(['text that matches ^[A-Z]{3}$', 'three capitals']);
  });

  test('never hold a secret: by the schema, by the name of the key, or inside of a URL', async () => {
    const schema = z.object({
      key: z.string().min(99).meta({ secret: true }).optional(),
      password: z.string().min(99).optional(),
      url: z.string().min(99).optional(),
    });
    const given = { key: 'hunter2', password: 'hunter2', url: 'postgresql://me:hunter2@db/x' };
    const { problems } = await read(schema, given);
    expect(problems).toHaveLength(3);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test('of a rule of the plugin are reported in the words of the plugin', async () => {
    const schema = z.object({ a: z.int() }).refine(value => value.a === 1, { message: 'a must be one', path: ['a'] });
    expect((await read(schema, { a: 2 })).problems[0]?.message).toBe('plugins.x.a cannot be 2: a must be one.');
    const missing = z
      .object({ b: z.int().optional() })
      .refine(({ b }) => b === 1, { message: 'Set one.', path: ['b'] });
    expect((await read(missing, {})).problems[0]?.message).toBe('plugins.x.b is not valid. Set one.');
  });

  test('of a schema that throws are problems too', async () => {
    const schema = z.object({}).transform(() => {
      throw new Error('broken');
    });
    expect((await read(schema, {})).problems[0]?.message).toContain('broken');
  });
});

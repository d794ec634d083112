import { unitPattern } from '../config/coerce.js';
import { entrySchema, settingsSchema } from '../config/settings.js';
import { type Shape, shapeOf } from '../config/shape.js';
import type { InstalledPlugin } from './installed-plugins.js';
import type { PlannedPlugin } from './plan.js';
import { slotNames } from './slots.js';

/**
 * The JSON Schema of the configuration of one service, for editors. A key that different environments fill with
 * different plugins takes the keys of the one that its `use` names. A slot that no file fills takes those of the
 * `installed` plugins, and a key that is no slot takes no plugin of a slot: it is a slip.
 */
export function serviceSchema(plugins: readonly PlannedPlugin[], installed: readonly InstalledPlugin[] = []): Shape {
  const keys = new Set(plugins.map(plugin => plugin.key));
  const properties = [...keys].map(key => [key, entryShape(plugins.filter(plugin => plugin.key === key))] as const);
  const fillers = installed.filter(plugin => plugin.slot !== undefined);
  const slots = [...new Set([...slotNames, ...fillers.map(({ slot = '' }) => slot)])];
  const offers = slots.map(slot => [slot, offerOf(fillers.filter(plugin => plugin.slot === slot))] as const);
  const settings = withReferences(shapeOf(settingsSchema));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: {
      $schema: { type: 'string' },
      ...settings.properties,
      plugins: {
        type: 'object',
        description: 'The plugins of the service by key: a slot, a slot and a name (database/reporting), or a name.',
        properties: Object.fromEntries([...offers.filter(([slot]) => !keys.has(slot)), ...properties]),
        patternProperties: Object.fromEntries(offers.map(([slot, offer]) => [`^${slot}/`, offer])),
        additionalProperties: {
          ...offerOf(installed.filter(plugin => plugin.slot === undefined)),
          required: ['use'],
          ...(fillers.length > 0 && { not: { properties: { use: { enum: fillers.map(({ name }) => name) } } } }),
        },
      },
    },
    additionalProperties: false,
  } as Shape;
}

/** An entry that may use any plugin; the keys of these are known. */
function offerOf(plugins: readonly InstalledPlugin[]): object {
  const entry = withReferences(shapeOf(entrySchema));
  const use = { ...entry.properties?.use, examples: plugins.map(({ name }) => name) };
  const allOf = plugins.map(({ name, manifest }) => {
    const own = manifest.config === undefined ? {} : withReferences(shapeOf(manifest.config)).properties;
    return {
      if: { properties: { use: { const: name } }, required: ['use'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { ...entry.properties, ...own }, additionalProperties: false },
    };
  });
  return {
    ...entry,
    properties: { ...entry.properties, use },
    additionalProperties: true,
    required: [],
    ...(allOf.length > 0 && { allOf }),
  };
}

function entryShape(plugins: readonly PlannedPlugin[]): object {
  const entry = withReferences(shapeOf(entrySchema));
  const variants = [...new Map(plugins.map(plugin => [plugin.use, plugin])).values()];
  const shapes = variants.map(plugin => ({ plugin, shape: withReferences(plugin.values.shape) }));
  const [first] = shapes;
  if (first !== undefined && shapes.length === 1) {
    return { ...first.shape, properties: { ...entry.properties, ...first.shape.properties }, required: [] };
  }
  const anyKey = shapes.flatMap(({ shape }) => Object.keys(shape.properties ?? {})).map(key => [key, {}] as const);
  const use = { ...entry.properties?.use, examples: variants.map(each => each.use) };
  return {
    type: 'object',
    properties: { ...Object.fromEntries(anyKey), ...entry.properties, use },
    additionalProperties: false,
    allOf: shapes.map(({ plugin, shape }) => ({
      if: { properties: { use: { const: plugin.use } }, required: ['use'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: shape.properties ?? {} },
    })),
  };
}

const reference = {
  type: 'string',
  pattern: String.raw`\$\{.+\}`,
  description: 'Filled in from a variable or a file.',
};

/**
 * `${...}` may stand for any value, and a number with a unit may be written with it where the key says in what it counts.
 * Nothing is required of a layer.
 */
function withReferences(shape: Shape, key = ''): Shape {
  const { required: _required, $schema: _schema, ...rest } = shape as Shape & { $schema?: string };
  if (rest.properties !== undefined) {
    const properties = Object.entries(rest.properties).map(([name, below]) => [name, withReferences(below, name)]);
    // As the kernel reads it: an unknown key is refused.
    return { additionalProperties: false, ...rest, properties: Object.fromEntries(properties) };
  }
  const types = typeof rest.type === 'string' ? [rest.type] : (rest.type ?? []);
  const isNumber = types.some(type => type === 'number' || type === 'integer');
  const isChecked = [rest.enum, rest.pattern, rest.format].some(rule => rule !== undefined);
  if (!isNumber && !isChecked && !types.includes('boolean')) return rest;
  const { description, default: fallback, ...value } = rest;
  const pattern = isNumber ? unitPattern(key) : undefined;
  const measured = pattern === undefined ? [] : [{ type: 'string', pattern, description: 'With its unit.' }];
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [value, ...measured, reference],
  };
}

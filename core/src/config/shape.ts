import { z } from 'zod';
import { looksSecret } from '../secrets/looks-secret.js';

/** The part of JSON Schema that the engine asks about. */
export interface Shape {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape | boolean;
  readonly prefixItems?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  /** `meta({ secret: true })`: never shown. */
  readonly secret?: boolean;
  /** `meta({ formerly: ['oldName'] })`: names it had, which keep working with a warning. */
  readonly formerly?: readonly string[];
  /** `meta({ deprecation: 'Use x instead.' })`: works, with this warning. */
  readonly deprecation?: string;
  /** `meta({ reloadable: true })`: may change while the service runs. */
  readonly reloadable?: boolean;
}

const shapes = new WeakMap<z.ZodType, Shape>();

/** What `schema` takes in, as JSON Schema. A part that JSON Schema cannot say takes anything. */
export function shapeOf(schema: z.ZodType | undefined): Shape {
  if (schema === undefined) return { type: 'object', properties: {} };
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
  shapes.set(schema, shape);
  return shape;
}

/** A shape with the definitions it refers to, and what can be asked of it. */
export class ShapeReader {
  readonly root: Shape;

  constructor(root: Shape) {
    this.root = root;
  }

  /** The shapes a value may have here, with unions and references taken apart. */
  alternatives(shape: Shape): readonly Shape[] {
    const target = shape.$ref === undefined ? shape : this.#resolve(shape.$ref);
    const parts = target.anyOf ?? target.oneOf ?? target.allOf;
    if (parts === undefined) return [target];
    return parts.flatMap(part => this.alternatives(part)).map(part => ({ ...withoutParts(target), ...part }));
  }

  /** The keys a map may have here; undefined when any key will do, or when no map belongs here at all. */
  keys(shape: Shape): ReadonlyMap<string, Shape> | undefined {
    const found = new Map<string, Shape>();
    const maps = this.alternatives(shape).filter(takesMap);
    for (const part of maps) {
      const open = part.additionalProperties !== undefined && part.additionalProperties !== false;
      if (open || (part.type === undefined && part.properties === undefined)) return undefined;
      for (const [key, value] of Object.entries(part.properties ?? {})) found.set(key, value);
    }
    return maps.length === 0 ? undefined : found;
  }

  /** The shape under `key`; `{}` (anything) when the map is open and says nothing of it. */
  property(shape: Shape, key: string): Shape {
    for (const part of this.alternatives(shape)) {
      const known = part.properties !== undefined && Object.hasOwn(part.properties, key) && part.properties[key];
      if (known) return known;
      if (typeof part.additionalProperties === 'object') return part.additionalProperties;
    }
    return {};
  }

  item(shape: Shape, index: number): Shape {
    for (const part of this.alternatives(shape)) {
      const known = part.prefixItems?.[index] ?? part.items;
      if (typeof known === 'object') return known;
    }
    return {};
  }

  isSecret(shape: Shape): boolean {
    return shape.secret === true || this.alternatives(shape).some(part => part.secret === true);
  }

  /** By the name of its key. Neither true nor false is a secret, whatever the name: `cors.credentials`. */
  looksSecret(shape: Shape, key: string): boolean {
    return looksSecret(key) && shape.type !== 'boolean';
  }

  /** Whether it is a secret, or anything inside of it may be one. */
  holdsSecret(shape: Shape, deepest = 20): boolean {
    if (this.isSecret(shape)) return true;
    if (deepest === 0) return false;
    return this.alternatives(shape).some(part => {
      const inside = [part.additionalProperties, part.items, ...(part.prefixItems ?? [])];
      const shapes = [...Object.values(part.properties ?? {}), ...inside.filter(each => typeof each === 'object')];
      return shapes.some(each => this.holdsSecret(each, deepest - 1));
    });
  }

  /** In words: `a whole number from 1 to 100`. Undefined when there is nothing to say. */
  describe(shape: Shape): string | undefined {
    const words = [...new Set(this.alternatives(shape).flatMap(describeOne))];
    return words.length === 0 ? undefined : words.join(', or ');
  }

  #resolve(reference: string): Shape {
    return (reference === '#' ? this.root : this.root.$defs?.[reference.replace('#/$defs/', '')]) ?? {};
  }
}

function takesMap({ type, properties }: Shape): boolean {
  return properties !== undefined || type === undefined || type === 'object' || type.includes('object');
}

function withoutParts(shape: Shape): Shape {
  const { anyOf: _any, oneOf: _one, allOf: _all, ...rest } = shape;
  return rest;
}

function describeOne(shape: Shape): string[] {
  if (shape.enum !== undefined) return [`one of ${shape.enum.map(String).join(', ')}`];
  if (shape.const !== undefined) return [String(shape.const)];
  const types = typeof shape.type === 'string' ? [shape.type] : (shape.type ?? []);
  return types.flatMap(type => typeWords[type]?.(shape) ?? []);
}

const typeWords: Readonly<Record<string, (shape: Shape) => string>> = {
  integer: shape => `a whole number${range(shape)}`,
  number: shape => `a number${range(shape)}`,
  boolean: () => 'true or false',
  array: () => 'a list',
  object: () => 'a map of keys',
  null: () => 'nothing',
  string: describeText,
};

function describeText(shape: Shape): string {
  if (shape.format === 'uri') return 'a URL';
  if (shape.format !== undefined)
    return `text in the form of ${/^[aeiou]/.test(shape.format) ? 'an' : 'a'} ${shape.format}`;
  if (shape.pattern !== undefined) return `text that matches ${shape.pattern}`;
  return shape.minLength !== undefined && shape.minLength > 0 ? 'text that is not empty' : 'text';
}

/** The bounds zod gives an integer by itself say nothing. */
function range(shape: Shape): string {
  const minimum = bound(shape.minimum, shape.exclusiveMinimum);
  const maximum = bound(shape.maximum, shape.exclusiveMaximum);
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return shape.minimum === undefined ? ` above ${minimum}` : ` of at least ${minimum}`;
  if (maximum !== undefined) return shape.maximum === undefined ? ` below ${maximum}` : ` of at most ${maximum}`;
  return '';
}

function bound(inclusive: number | undefined, exclusive: number | undefined): number | undefined {
  const value = inclusive ?? exclusive;
  return value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value;
}

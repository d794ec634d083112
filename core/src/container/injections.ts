import { LazyServiceIdentifier } from 'inversify';
import type { ServiceToken } from '../contract/token.js';

/** What a service is made of, as far as it can be known without making it. */
export interface Injection {
  readonly token: ServiceToken;
  readonly name: string | undefined;
  readonly optional: boolean;
}

/** Where Inversify keeps what the decorators of a class said. */
const classMetadataKey = '@inversifyjs/core/classMetadataReflectKey';

interface ElementMetadata {
  readonly value?: ServiceToken | LazyServiceIdentifier;
  readonly name?: string | symbol;
  readonly optional?: boolean;
}

interface ClassMetadata {
  readonly constructorArguments: readonly ElementMetadata[];
  readonly properties: ReadonlyMap<string | symbol, ElementMetadata>;
}

/** What the binding `bind(token).<verb>(...given)` will ask the container for. A dynamic value does not say. */
export function injectionsOf(verb: string, token: ServiceToken, given: readonly unknown[]): Injection[] {
  if (verb === 'to') return ofClass(given[0]);
  if (verb === 'toSelf') return ofClass(token);
  if (verb === 'toResolvedValue') return (Array.isArray(given[1]) ? given[1] : []).flatMap(ofOption);
  return [];
}

function ofClass(type: unknown): Injection[] {
  if (typeof type !== 'function') return [];
  const metadata = Reflect.getMetadata(classMetadataKey, type) as ClassMetadata | undefined;
  if (metadata === undefined) return [];
  return [...metadata.constructorArguments, ...metadata.properties.values()].flatMap(ofElement);
}

/** `toResolvedValue` takes bare tokens and `{ serviceIdentifier, optional, name }`. */
function ofOption(option: unknown): Injection[] {
  if (typeof option !== 'object' || option === null || LazyServiceIdentifier.is(option)) {
    return ofElement({ value: option as ServiceToken });
  }
  const { serviceIdentifier, ...rest } = option as { serviceIdentifier: ServiceToken } & Omit<ElementMetadata, 'value'>;
  return ofElement({ value: serviceIdentifier, ...rest });
}

function ofElement({ value, name, optional }: ElementMetadata): Injection[] {
  if (value === undefined) return [];
  const token = LazyServiceIdentifier.is(value) ? value.unwrap() : value;
  return [{ token, name: name === undefined ? undefined : String(name), optional: optional === true }];
}

import {
  type BindToFluentSyntax,
  type BindWhenFluentSyntax,
  type Container,
  ContainerModule,
  type ContainerModuleLoadOptions,
} from 'inversify';
import type { ServiceToken } from '../token.js';

type Bind = ContainerModuleLoadOptions['bind'];

/** The bindings of one plugin: they come together and go together. */
export class PluginBindings {
  readonly #container: Container;
  readonly #instance: string | undefined;
  #module: ContainerModule | undefined;

  constructor(container: Container, instance: string | undefined) {
    this.#container = container;
    this.#instance = instance;
  }

  /** Runs `register`; when it throws, nothing it bound is left. */
  async load(register: (bind: Bind) => void | Promise<void>): Promise<void> {
    const module = new ContainerModule(({ bind }) => register(this.#named(bind)));
    try {
      await this.#container.loadAsync(module);
    } catch (error) {
      await this.#container.unloadAsync(module);
      throw error;
    }
    this.#module = module;
  }

  /** Takes every binding back and runs their deactivations. Does nothing when nothing is loaded. */
  async unload(): Promise<void> {
    const module = this.#module;
    this.#module = undefined;
    if (module !== undefined) await this.#container.unloadAsync(module);
  }

  has(token: ServiceToken): boolean {
    return this.#container.isBound(token, this.#options);
  }

  /** Makes the service, when it is not there yet, so that `get` is synchronous from now on. */
  async warm(token: ServiceToken): Promise<void> {
    await this.#container.getAsync(token, this.#options);
  }

  get #options(): { name: string } | undefined {
    return this.#instance === undefined ? undefined : { name: this.#instance };
  }

  #named(bind: Bind): Bind {
    return token => named(bind(token), this.#instance);
  }
}

const bindingVerbs = [
  'to',
  'toSelf',
  'toConstantValue',
  'toDynamicValue',
  'toFactory',
  'toResolvedValue',
] as const satisfies readonly (keyof BindToFluentSyntax<unknown>)[];

/**
 * Gives whatever the next word of the sentence binds the name of the instance. Without a name it is bound for those who
 * ask without one: Inversify would offer it to those who ask for a name as well. The rest of the sentence
 * (`inSingletonScope`, `onActivation`) is Inversify's own and works on that binding.
 */
function named<T>(sentence: BindToFluentSyntax<T>, name: string | undefined): BindToFluentSyntax<T> {
  const settle = (rest: BindWhenFluentSyntax<T>) => (name === undefined ? rest.whenDefault() : rest.whenNamed(name));
  return new Proxy(sentence, {
    get(target, property, receiver) {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== 'function') return member;
      if (property === 'toService') return (service: ServiceToken<T>) => void settle(alias(target, service, name));
      if (!bindingVerbs.some(verb => verb === property)) return member.bind(target);
      return (...given: unknown[]) => {
        const rest: BindWhenFluentSyntax<T> = member.apply(target, given);
        settle(rest);
        return rest;
      };
    },
  });
}

function alias<T>(sentence: BindToFluentSyntax<T>, service: ServiceToken<T>, name: string | undefined) {
  return sentence.toDynamicValue(context => context.get(service, name === undefined ? undefined : { name }));
}

import { type BindToFluentSyntax, type Container, ContainerModule, type ContainerModuleLoadOptions } from 'inversify';
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
    const instance = this.#instance;
    return instance === undefined ? bind : token => nameBinding(bind(token), instance);
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
 * Names whatever the next word of the sentence binds. The rest of the sentence (`inSingletonScope`, `onActivation`) is
 * Inversify's own and works on the named binding.
 */
function nameBinding<T>(sentence: BindToFluentSyntax<T>, name: string): BindToFluentSyntax<T> {
  return new Proxy(sentence, {
    get(target, property, receiver) {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== 'function') return member;
      if (property === 'toService') {
        return (service: ServiceToken<T>) =>
          target.toDynamicValue(context => context.get(service, { name })).whenNamed(name);
      }
      if (!bindingVerbs.some(verb => verb === property)) return member.bind(target);
      return (...given: unknown[]) => {
        const rest: { whenNamed(name: string): unknown } = member.apply(target, given);
        rest.whenNamed(name);
        return rest;
      };
    },
  });
}

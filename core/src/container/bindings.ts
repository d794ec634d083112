import { ContainerModule, type ContainerModuleLoadOptions } from 'inversify';
import { KeelsonError } from '../contract/keelson-error.js';
import type { RegisterContext } from '../contract/plugin-context.js';
import type { ServiceToken } from '../contract/token.js';
import type { PlannedPlugin } from '../plan/plan.js';
import { tokenName } from '../plan/slots.js';
import { type BindingRecord, recordBindings } from './binding-records.js';
import type { ServiceContainer } from './service-container.js';

type Bind = ContainerModuleLoadOptions['bind'];
type Decorate = RegisterContext<unknown>['decorate'];

/** What all plugins have bound. */
export class BindingRegistry {
  readonly #exclusive: ReadonlySet<ServiceToken>;
  #records: readonly BindingRecord[] = [];

  /** `exclusive`: tokens that only the plugin that lists them in `provides` may bind. */
  constructor(exclusive: Iterable<ServiceToken>) {
    this.#exclusive = new Set(exclusive);
  }

  get records(): readonly BindingRecord[] {
    return this.#records;
  }

  add(record: BindingRecord, planned: PlannedPlugin): void {
    if (this.#exclusive.has(record.token) && !planned.manifest.provides?.includes(record.token)) {
      throw notYours(record.token, planned);
    }
    this.#records = [...this.#records, record];
  }

  /** Forgets what `plugin` has bound; returns it. */
  remove(plugin: string): readonly BindingRecord[] {
    const removed = this.#records.filter(record => record.plugin === plugin);
    this.#records = this.#records.filter(record => record.plugin !== plugin);
    return removed;
  }
}

/** The bindings of one plugin: they come together and go together. */
export class PluginBindings {
  readonly #container: ServiceContainer;
  readonly #registry: BindingRegistry;
  readonly #planned: PlannedPlugin;
  /** The token of the slot under which a switchable service is bound, and the one under which the plugin is. */
  readonly #hidden: readonly [ServiceToken, ServiceToken] | undefined;
  #module: ContainerModule | undefined;
  #decorated: readonly ServiceToken[] = [];

  /** With `behind` the service of that token is bound out of sight: a switchable service has its place. */
  constructor(
    container: ServiceContainer,
    registry: BindingRegistry,
    planned: PlannedPlugin,
    behind: ServiceToken | undefined,
  ) {
    this.#container = container;
    this.#registry = registry;
    this.#planned = planned;
    this.#hidden = behind === undefined ? undefined : [behind, Symbol(`${tokenName(behind)} behind its switch`)];
  }

  /** Runs `register`, and resolves to what it returned; when it throws, nothing it bound is left. */
  async load<T>(register: (bind: Bind, decorate: Decorate) => T | Promise<T>): Promise<T> {
    const { key, instance } = this.#planned;
    const registered = Promise.withResolvers<T>();
    const module: ContainerModule = new ContainerModule(async ({ bind, onActivation }) => {
      const returned = await register(
        recordBindings(
          token => {
            if (this.#module !== module) throw tooLate(token, this.#planned);
            return bind(token);
          },
          key,
          instance,
          record => this.#registry.add(record, this.#planned),
          token => this.#real(token),
        ),
        (token, wrap) => {
          if (!this.#planned.manifest.decorates?.includes(token)) throw notYoursToDecorate(token, this.#planned);
          this.#decorated = [...this.#decorated, token];
          onActivation(token, (_context, service) => wrap(service));
        },
      );
      registered.resolve(returned);
    });
    this.#module = module;
    try {
      await this.#container.loadAsync(module);
    } catch (error) {
      await this.unload();
      throw error;
    }
    return registered.promise;
  }

  /** Takes every binding back and runs their deactivations. Does nothing when nothing is loaded. */
  async unload(): Promise<void> {
    const module = this.#module;
    this.#module = undefined;
    this.#decorated = [];
    const records = this.#registry.remove(this.#planned.key);
    if (module === undefined) return;
    try {
      await this.#container.unloadAsync(module);
    } catch (error) {
      // Inversify keeps every binding of the module when one deactivation fails, or one singleton was never made.
      for (const record of records) record.disarm();
      await this.#container.unloadAsync(module).catch(() => undefined);
      throw error;
    }
  }

  get decorated(): readonly ServiceToken[] {
    return this.#decorated;
  }

  has(token: ServiceToken): boolean {
    return this.#container.isBound(this.#real(token), this.#options);
  }

  /** Makes the service, when it is not there yet, so that `get` is synchronous from now on. */
  async warm(token: ServiceToken): Promise<unknown> {
    return this.#container.getAsync(this.#real(token), this.#options);
  }

  #real(token: ServiceToken): ServiceToken {
    return this.#hidden !== undefined && this.#hidden[0] === token ? this.#hidden[1] : token;
  }

  get #options(): { name: string } | undefined {
    const { instance } = this.#planned;
    return instance === undefined ? undefined : { name: instance };
  }
}

function notYours(token: ServiceToken, planned: PlannedPlugin): KeelsonError {
  const hint = 'Choose the plugin of the slot in the configuration, or add the token to `provides` of the plugin.';
  return refused(planned, `binds ${tokenName(token)}, but its \`provides\` does not list it`, hint, token);
}

/** A register hook that the kernel gave up may go on; its later bindings would never be removed. */
function tooLate(token: ServiceToken, planned: PlannedPlugin): KeelsonError {
  const hint = 'Bind every service in `register`, without waiting.';
  return refused(planned, `binds ${tokenName(token)} after its registration has ended`, hint, token);
}

function notYoursToDecorate(token: ServiceToken, planned: PlannedPlugin): KeelsonError {
  const hint = 'Add the token to `decorates` of the plugin.';
  return refused(planned, `decorates ${tokenName(token)}, but its \`decorates\` does not list it`, hint, token);
}

function refused({ key, use }: PlannedPlugin, fault: string, hint: string, token: ServiceToken): KeelsonError {
  const facts = { plugin: key, token: tokenName(token) };
  return new KeelsonError({ code: 'PLUGIN_BINDING_REFUSED', message: `${key} (${use}) ${fault}.`, hint, facts });
}

import type { Variables } from '../config/variables.js';
import type { BindingRegistry } from '../container/bindings.js';
import type { ServiceContainer } from '../container/service-container.js';
import type { SwitchableService } from '../container/switchable-service.js';
import type { Clock } from '../contract/clock.js';
import type { Lifecycle } from '../contract/lifecycle.js';
import type { KeepProcess } from '../contract/plugin-context.js';
import type { Around } from '../plan/start-part.js';
import type { Blocking } from './blocking.js';

/** What all plugins of a service live in. */
export interface Surroundings {
  readonly container: ServiceContainer;
  readonly registry: BindingRegistry;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly directory: string;
  /** Those that the configuration was read with. */
  readonly variables: Variables;
  readonly service: string;
  readonly environment: string | undefined;
  /** By key: who stands in for the optional plugins. */
  readonly switchables: ReadonlyMap<string, SwitchableService>;
  /** False when a tool starts the plugins only to ask them something. */
  readonly serving: boolean;
  readonly keepProcess: KeepProcess | undefined;
  readonly blocking: Blocking;
  readonly around: Around | undefined;
}

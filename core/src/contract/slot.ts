import type { Clock } from './clock.js';
import type { ServiceToken } from './token.js';

/** A slot: the contract of a service that plugins implement and configuration chooses. */
export interface Slot<Service = unknown> {
  /** Its key in the configuration, in kebab case. */
  readonly name: string;
  readonly token: ServiceToken<Service>;
  /** The service bound when no plugin fills the slot; without it the slot stays empty. `name` is for reports. */
  readonly silentDefault?: { readonly name: string; create(clock: Clock): Service };
}

/** Returns the slot unchanged. List it under `slots` in the manifest of each plugin that fills or uses it. */
export function defineSlot<Service>(slot: Slot<Service>): Slot<Service> {
  return slot;
}

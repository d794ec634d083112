import type { ServiceIdentifier } from 'inversify';

/** The key of a service in the container: `container.get(token)`. Carries the type of the service. */
export type ServiceToken<T = unknown> = ServiceIdentifier<T>;

/**
 * Returns the token for `name`, the same in every copy of a package, so that two installed copies share one service.
 * Packages name their tokens `<package>/<Service>`.
 */
export function serviceToken<T>(name: string): ServiceToken<T> {
  return Symbol.for(name);
}

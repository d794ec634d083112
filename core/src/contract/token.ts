import type { ServiceIdentifier } from 'inversify';

/** What a service is asked for by: `container.get(token)`. Carries the type of the service. */
export type ServiceToken<T = unknown> = ServiceIdentifier<T>;

/**
 * A token for `name`, the same one in every copy of a package, so that two installed copies still mean one service.
 * Packages name theirs `<package>/<Service>`.
 */
export function serviceToken<T>(name: string): ServiceToken<T> {
  return Symbol.for(name);
}

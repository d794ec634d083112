import type { ServiceToken } from './token.js';

/** A service of a further instance of a slot: for `database/reporting`, `name` is `reporting`. */
export interface NamedService {
  readonly token: ServiceToken;
  readonly name: string;
}

/** A requirement of a plugin: a service, or the service of a further instance. */
export type Requirement = ServiceToken | NamedService;

/** For `requires` and `optional`: the service of `database/reporting` is `namedService(DatabaseService, 'reporting')`. */
export function namedService(token: ServiceToken, name: string): NamedService {
  return { token, name };
}

/** The parts of a requirement; `name` is undefined for the slot's own. */
export function requirementParts(requirement: Requirement): { token: ServiceToken; name: string | undefined } {
  return typeof requirement === 'object' && requirement !== null
    ? requirement
    : { token: requirement, name: undefined };
}

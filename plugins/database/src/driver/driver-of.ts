import type { DatabaseDriver } from './driver.js';

const drivers = new WeakMap<object, DatabaseDriver>();

/** Remembers the driver of a service, for tests. */
export function keepDriver(database: object, driver: DatabaseDriver): void {
  drivers.set(database, driver);
}

/** Returns the driver of a service. Undefined for a double, or a service that a plugin has wrapped. */
export function driverOf(database: object): DatabaseDriver | undefined {
  return drivers.get(database);
}

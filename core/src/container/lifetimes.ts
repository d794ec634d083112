import type { Container } from 'inversify';
import { KeelsonError } from '../contract/keelson-error.js';
import type { ServiceToken } from '../contract/token.js';
import { tokenName } from '../plan/slots.js';
import type { BindingRecord } from './binding-records.js';

/**
 * Checks before any service is made whether a singleton of `plugin` would keep a service of one session or request, or
 * needs an unbound service. Inversify allows both: every later request would get the session of the first.
 *
 * @throws KeelsonError `KERNEL_LIFETIME_CAPTIVE` or `KERNEL_SERVICE_UNBOUND`, with the way from the singleton.
 */
export function checkLifetimes(
  plugin: string,
  records: readonly BindingRecord[],
  perSession: readonly ServiceToken[],
  container: Container,
): void {
  for (const singleton of records.filter(record => record.plugin === plugin && record.scope === 'Singleton')) {
    follow(singleton, [singleton], { records, perSession, container });
  }
}

interface Search {
  readonly records: readonly BindingRecord[];
  readonly perSession: readonly ServiceToken[];
  readonly container: Container;
}

function follow(from: BindingRecord, way: readonly BindingRecord[], search: Search): void {
  for (const { token, name, optional } of from.injections) {
    const target = search.records.find(record => record.token === token && record.name === name);
    if (search.perSession.includes(token) || target?.scope === 'Request') throw captive(way, token);
    if (target === undefined) {
      const bound = search.container.isBound(token, name === undefined ? undefined : { name });
      if (!bound && !optional) throw unbound(way, token);
    } else if (!way.includes(target)) {
      follow(target, [...way, target], search);
    }
  }
}

function pathOf(way: readonly BindingRecord[], token: ServiceToken): string {
  return [...way.map(record => tokenName(record.token)), tokenName(token)].join(' -> ');
}

function captive(way: readonly BindingRecord[], token: ServiceToken): KeelsonError {
  const name = tokenName(token);
  return new KeelsonError({
    code: 'KERNEL_LIFETIME_CAPTIVE',
    message: `A singleton would keep ${name}, which lives for one session: ${pathOf(way, token)}.`,
    hint: `Ask for ${name} where the work is done, or bind ${tokenName(way[0]?.token ?? token)} in transient scope.`,
    facts: { plugin: way[0]?.plugin, path: pathOf(way, token) },
  });
}

function unbound(way: readonly BindingRecord[], token: ServiceToken): KeelsonError {
  return new KeelsonError({
    code: 'KERNEL_SERVICE_UNBOUND',
    message: `A singleton needs ${tokenName(token)}, which nothing binds: ${pathOf(way, token)}.`,
    hint: `Bind ${tokenName(token)} in the register hook of a plugin. A child container is the wrong place: the singleton would keep its service.`,
    facts: { plugin: way[0]?.plugin, path: pathOf(way, token) },
  });
}

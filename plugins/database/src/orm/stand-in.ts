import { inspect } from 'node:util';
import { OutsideSessionError, SessionClosedError } from '../errors/session-errors.js';
import type { DatabaseSession } from '../session/database-session.js';
import type { EntityManager } from './entity-manager.js';
import { SessionEntityManager } from './session-entity-manager.js';

/** Inspecting the stand-in, as a log line or a debugger does, opens no session. */
const look = { [inspect.custom]: { value: () => '[CurrentEntityManager]' } };

type Method = (...given: unknown[]) => unknown;

/**
 * Makes an EntityManager that passes each call on to the EntityManager of the session that the calling code runs in. It asks
 * `currentSession` at each use, and keeps nothing of a session.
 */
export function standIn(currentSession: () => DatabaseSession | undefined): EntityManager {
  const empty: SessionEntityManager = Object.create(SessionEntityManager.prototype, look);
  const find = () => {
    const { em } = openOf(currentSession());
    return em instanceof SessionEntityManager ? em.innermost : em;
  };
  const methods = new Map<string, Method>();
  const methodNamed = (name: string): Method => {
    const known = methods.get(name);
    if (known !== undefined) return known;
    const method: Method = (...given) => {
      const em = find();
      const result: unknown = Reflect.apply(Reflect.get(em, name), em, given);
      // `em.persist(order)` returns the EntityManager: who keeps the result must not keep that of one session.
      return result === em ? injected : result;
    };
    methods.set(name, method);
    return method;
  };
  const injected: EntityManager = new Proxy(empty, {
    get(target, key) {
      const kind = typeof key === 'string' ? members.get(key) : undefined;
      if (kind === undefined || typeof key !== 'string') return Reflect.get(target, key);
      return kind === 'method' ? methodNamed(key) : Reflect.get(find(), key);
    },
    set: (_target, key, value) => Reflect.set(find(), key, value),
  });
  return injected;
}

function openOf(session: DatabaseSession | undefined): DatabaseSession {
  if (session === undefined) throw new OutsideSessionError({ injected: true });
  if (session.state !== 'open') throw new SessionClosedError();
  return session;
}

type Member = 'method' | 'value';

/** What an EntityManager has. Other names, as `then` and `toJSON`, are asked for by code that only looks at an object. */
const members = membersOf(SessionEntityManager.prototype, [
  'config',
  'driver',
  'metadata',
  'eventManager',
  'name',
  'global',
  'signal',
  'loggerContext',
]);

function membersOf(prototype: object, fields: readonly string[]): ReadonlyMap<string, Member> {
  const found = new Map<string, Member>(fields.map(name => [name, 'value']));
  for (
    let each: unknown = prototype;
    each instanceof Object && each !== Object.prototype;
    each = Object.getPrototypeOf(each)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each))) {
      if (name === 'constructor' || found.has(name)) continue;
      found.set(name, typeof value === 'function' ? 'method' : 'value');
    }
  }
  return found;
}

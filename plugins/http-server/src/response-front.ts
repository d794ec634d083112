import type { ServerResponse } from 'node:http';
import { http } from './node-http.js';

const headerChanges = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const;
const verbs = ['writeHead', 'flushHeaders', 'write', 'end', ...headerChanges] as const;
export type Verb = (typeof verbs)[number];

export function isHeaderChange(verb: Verb): boolean {
  return verb !== 'end' && verb !== 'write' && verb !== 'writeHead' && verb !== 'flushHeaders';
}

/** Stands before the methods of one response. */
export interface ResponseFront {
  /** It leaves this call to the response as it is. */
  passes(verb: Verb): boolean;
  /** What `headersSent` and `writableEnded` say beyond what Node says. */
  readonly isSettling: boolean;
  readonly hasEnded: boolean;
  /** `response[verb](...args)`; `original` does what Node does. */
  call(verb: Verb, args: readonly unknown[], original: () => unknown): unknown;
}

const key = Symbol('front');
type Fronted = ServerResponse & { [key]?: ResponseFront };
type Flag = 'headersSent' | 'writableEnded';

export function putBefore(response: ServerResponse, front: ResponseFront): void {
  preparePrototype();
  (response as Fronted)[key] = front;
}

export function frontOf(response: ServerResponse): ResponseFront | undefined {
  return (response as Fronted)[key];
}

/** What Node itself says, whatever a front says: the head is on its way to the client. */
export function hasLeft(response: ServerResponse): boolean {
  return saidByNode('headersSent').call(response);
}

const nodeFlags = new Map<Flag, () => boolean>();

function saidByNode(flag: Flag): () => boolean {
  const known = nodeFlags.get(flag);
  if (known !== undefined) return known;
  const get = getterOf(http.ServerResponse.prototype, flag);
  nodeFlags.set(flag, get);
  return get;
}

let isPrepared = false;

/**
 * Once, on the class of Node, as an Express application replaces the prototype of the response, and every prototype leads
 * here. A response without a front costs one look for it. Own properties of each response cost more than the rest of a
 * short request.
 */
function preparePrototype(): void {
  if (isPrepared) return;
  isPrepared = true;
  const { prototype } = http.ServerResponse;
  for (const verb of verbs) Object.defineProperty(prototype, verb, methodOf(verb, prototype[verb]));
  Object.defineProperty(
    prototype,
    'headersSent',
    flagOf('headersSent', front => front.isSettling),
  );
  Object.defineProperty(
    prototype,
    'writableEnded',
    flagOf('writableEnded', front => front.hasEnded),
  );
}

function methodOf(verb: Verb, original: (...args: never[]) => unknown): PropertyDescriptor {
  return {
    configurable: true,
    writable: true,
    value(this: Fronted, ...args: unknown[]): unknown {
      const front = this[key];
      if (front === undefined || front.passes(verb)) return Reflect.apply(original, this, args);
      return front.call(verb, args, () => Reflect.apply(original, this, args));
    },
  };
}

function flagOf(flag: Flag, isTrue: (front: ResponseFront) => boolean): PropertyDescriptor {
  const nodeSays = saidByNode(flag);
  return {
    configurable: true,
    get(this: Fronted): boolean {
      const front = this[key];
      return (front !== undefined && isTrue(front)) || nodeSays.call(this);
    },
  };
}

function getterOf(prototype: object, flag: Flag): () => boolean {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const get = Object.getOwnPropertyDescriptor(at, flag)?.get;
    if (get !== undefined) return get;
  }
  throw new Error(`bug: no response has ${flag}`);
}

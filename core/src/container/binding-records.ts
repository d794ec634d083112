import type {
  BindInFluentSyntax,
  BindToFluentSyntax,
  BindWhenFluentSyntax,
  ContainerModuleLoadOptions,
} from 'inversify';
import type { ServiceToken } from '../contract/token.js';
import { type Injection, injectionsOf } from './injections.js';

type Bind = ContainerModuleLoadOptions['bind'];

/** One binding, as its plugin wrote it. */
export interface BindingRecord {
  readonly token: ServiceToken;
  readonly name: string | undefined;
  /** The key of the plugin. */
  readonly plugin: string;
  scope: 'Singleton' | 'Transient' | 'Request';
  readonly injections: readonly Injection[];
  /** Keeps the container from asking it for its service, and from deactivating it, ever again. */
  readonly disarm: () => void;
}

type Rest = BindWhenFluentSyntax<unknown> & Partial<BindInFluentSyntax<unknown>>;

const classVerbs = ['to', 'toSelf'];
const constantVerbs = ['toConstantValue', 'toFactory'];
const verbs = [...classVerbs, ...constantVerbs, 'toDynamicValue', 'toResolvedValue'];
const scopes: Readonly<Record<string, BindingRecord['scope']>> = {
  inSingletonScope: 'Singleton',
  inTransientScope: 'Transient',
  inRequestScope: 'Request',
};

/**
 * `bind`, with what it binds written down and named after the instance. Without a name it is bound for those who ask
 * without one: Inversify would offer it to those who ask for a name as well. The rest of the sentence
 * (`onActivation`, `inSingletonScope`) is Inversify's own. `redirect` says under which token it is really bound.
 */
export function recordBindings(
  bind: Bind,
  plugin: string,
  name: string | undefined,
  record: (record: BindingRecord) => void,
  redirect: (token: ServiceToken) => ServiceToken = token => token,
): Bind {
  return <T>(token: ServiceToken<T>) => {
    const sentence = bind(redirect(token) as ServiceToken<T>);
    const write = (injections: readonly Injection[], scope: BindingRecord['scope'], rest: Rest): BindingRecord => {
      const written = { token, name, plugin, scope, injections, disarm: () => disarm(rest) };
      record(written);
      return written;
    };
    return intercept(sentence, (verb, given, call) => {
      if (verb === 'toService') {
        const [service] = given as [ServiceToken<T>];
        const rest = alias(sentence, service, name);
        settle(rest, name);
        write([{ token: service, name, optional: false }], 'Transient', rest);
        return undefined;
      }
      if (!verbs.includes(verb)) return call();
      const rest = call() as Rest;
      settle(rest, name);
      const scope = constantVerbs.includes(verb) ? 'Singleton' : 'Transient';
      const written = write(injectionsOf(verb, token, given), scope, rest);
      return intercept(rest, (method, _given, call) => {
        written.scope = scopes[method] ?? written.scope;
        return call();
      });
    });
  };
}

/** Calls `onCall` instead of every method of `object`; its `call` calls the method itself. */
function intercept<T extends object>(
  object: T,
  onCall: (method: string, given: readonly unknown[], call: () => unknown) => unknown,
): T {
  return new Proxy(object, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => onCall(String(property), given, () => member.apply(target, given));
    },
  });
}

function settle(rest: Rest, name: string | undefined): void {
  if (name === undefined) rest.whenDefault();
  else rest.whenNamed(name);
}

/** A transient binding has no service to deactivate; a constant cannot be one, but can be kept from matching. */
function disarm(rest: Rest): void {
  if (rest.inTransientScope === undefined) rest.when(() => false);
  else rest.inTransientScope();
}

function alias<T>(sentence: BindToFluentSyntax<T>, service: ServiceToken<T>, name: string | undefined) {
  return sentence.toDynamicValue(context => context.get(service, name === undefined ? undefined : { name }));
}

import { isKeelsonError, type KeelsonError } from '../contract/keelson-error.js';
import type { Plugin, StartedPlugin } from '../contract/plugin.js';
import type { GiveBack, RegisterContext, StartContext } from '../contract/plugin-context.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { Kernel } from './kernel.js';
import type { KernelOptions } from './kernel-options.js';

export interface Named {
  readonly name: string;
}

export const Book: ServiceToken<Named> = serviceToken('test/Book');
export const Store: ServiceToken<Named> = serviceToken('test/Store');

type Given = Partial<KernelOptions> & { readonly plugins: Record<string, Plugin> };

/** Starts the given plugins, with nothing configured. */
export function startKernel(options: Given): Promise<Kernel> {
  return Kernel.start({ config: { service: 'test' }, variables: {}, ...options });
}

/** The error of a start that fails, as it must. */
export async function failing(options: Given): Promise<KeelsonError> {
  const error: unknown = await startKernel(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isKeelsonError(error)) throw new Error('the start did not fail as it should', { cause: error });
  return error;
}

type Told = Partial<PluginManifest> &
  Pick<StartedPlugin, 'ready' | 'drain'> & {
    readonly register?: (context: RegisterContext<unknown>) => void;
    readonly start?: (context: StartContext<unknown>) => void | Promise<void>;
    /** Called after a start that failed, too. */
    readonly stop?: GiveBack<unknown>;
  };

/** A plugin that writes each of its hooks into `log`, but those that are given. */
export function telling(log: string[], name: string, told: Told = {}): Plugin {
  const tell = (hook: string) => () => void log.push(`${name}.${hook}`);
  const { register = tell('register'), start = tell('start'), ready, drain, stop, ...manifest } = told;
  return {
    name,
    ...manifest,
    register,
    async start(context) {
      context.defer(stop ?? tell('stop'));
      await start(context);
      return { ready: ready ?? tell('ready'), drain: drain ?? tell('drain') };
    },
  };
}

export const bindBook = ({ bind }: RegisterContext<unknown>): void => {
  bind(Book).toConstantValue({ name: 'book' });
};

export const book = ({ register = bindBook, start = () => {} }: Pick<Told, 'register' | 'start'> = {}): Plugin => ({
  name: 'book',
  provides: [Book],
  register,
  start,
});

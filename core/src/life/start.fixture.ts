import { isKeelsonError, type KeelsonError } from '../contract/keelson-error.js';
import type { Plugin, RegisterContext } from '../contract/plugin.js';
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

/** A plugin that writes each of its hooks into `log`. */
export function telling(log: string[], name: string, more: Partial<Plugin> = {}): Plugin {
  const tell = (hook: string) => () => void log.push(`${name}.${hook}`);
  return {
    name,
    register: tell('register'),
    start: tell('start'),
    ready: tell('ready'),
    drain: tell('drain'),
    stop: tell('stop'),
    ...more,
  };
}

export const bindBook = ({ bind }: RegisterContext<unknown>): void => {
  bind(Book).toConstantValue({ name: 'book' });
};

export const book = (more: Partial<Plugin> = {}): Plugin => ({
  name: 'book',
  provides: [Book],
  register: bindBook,
  ...more,
});

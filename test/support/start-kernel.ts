import { Kernel, type Plugin } from '@keelson/core';

export interface KernelSetting {
  /** By key. */
  readonly plugins: Readonly<Record<string, object>>;
  /** Their configuration, by key. */
  readonly values?: Readonly<Record<string, object>>;
  readonly service?: string;
  readonly environment?: string;
  readonly shutdown?: object | undefined;
}

const onLoopback = { port: 0, host: '127.0.0.1' };

/** Starts a service that stops without notice and reads no variables. Its servers are on free ports of the loopback. */
export function startKernel({ plugins, values = {}, service = 'test', ...rest }: KernelSetting): Promise<Kernel> {
  const { environment, shutdown } = rest;
  const servers = Object.keys(plugins).filter(key => key === 'http' || key.startsWith('http/'));
  return Kernel.start({
    config: { service, shutdown: { noticeMs: 0, ...shutdown } },
    ...(environment !== undefined && { environment }),
    plugins: plugins as Record<string, Plugin>,
    overrides: {
      plugins: { ...values, ...Object.fromEntries(servers.map(key => [key, { ...onLoopback, ...values[key] }])) },
    },
    variables: {},
  });
}

import { resolve } from 'node:path';
import { ControlServer } from '../control/control-server.js';
import { controlRoutes } from '../control/routes.js';
import type { Kernel } from '../kernel/kernel.js';
import { formatReload } from '../kernel/reload.js';
import type { Options, Terminal } from './command.js';
import { identityOf } from './running-instances.js';

/** Opens the socket of a service that `keelson start` with these options has started. Throws as ControlServer.open does. */
export function openControlServer(kernel: Kernel, options: Options, terminal: Terminal): Promise<ControlServer> {
  const identity = identityOf(options, terminal);
  const { directory, settings } = kernel.plan;
  const at = settings.control.directory;
  const reload = async () => {
    const report = await kernel.reload();
    terminal.err(formatReload(report));
    return report;
  };
  return ControlServer.open({
    identity,
    ...(at !== undefined && { directory: resolve(directory, at) }),
    routes: controlRoutes({ kernel, config: resolve(identity.config), reload }),
  });
}

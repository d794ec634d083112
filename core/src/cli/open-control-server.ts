import { resolve } from 'node:path';
import { ControlServer } from '../control/control-server.js';
import { controlRoutes } from '../control/routes.js';
import type { Kernel } from '../life/kernel.js';
import type { StartingService } from '../life/kernel-options.js';
import { formatReload } from '../life/reload.js';
import type { Options, Terminal } from './command.js';
import { identityOf } from './running-instances.js';

export interface ServiceToControl {
  readonly starting: StartingService;
  /** Undefined until it has started. */
  readonly kernel: () => Kernel | undefined;
}

/** Opens the socket of a service that `keelson start` with these options starts. Throws as ControlServer.open does. */
export function openControlServer(
  { starting, kernel }: ServiceToControl,
  options: Options,
  terminal: Terminal,
): Promise<ControlServer> {
  const identity = identityOf(options, terminal);
  const { directory, settings } = starting.plan;
  const at = settings.control.directory;
  const config = resolve(identity.config);
  return ControlServer.open({
    identity,
    ...(at !== undefined && { directory: resolve(directory, at) }),
    routes: controlRoutes({ starting, kernel, config, onReload: report => terminal.err(formatReload(report)) }),
  });
}

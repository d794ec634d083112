import { resolve } from 'node:path';
import { ControlServer } from '../../control/control-server.js';
import { controlRoutes } from '../../control/routes.js';
import type { Kernel } from '../../life/kernel.js';
import type { StartingService } from '../../life/kernel-options.js';
import type { ReloadReport } from '../../life/reload.js';
import { formatError } from '../../secrets/format-error.js';
import type { Terminal } from '../command.js';
import { type ConfigChoice, identityOf } from '../config-options.js';

/**
 * Lets operators reach the service that `keelson start` starts with these options, while it starts and runs. A service that
 * they cannot reach runs all the same, with a warning. `kernel` returns undefined until it has started.
 */
export async function openControl(
  starting: StartingService,
  kernel: () => Kernel | undefined,
  options: ConfigChoice,
  terminal: Terminal,
): Promise<ControlServer | undefined> {
  const identity = identityOf(options, terminal);
  const { directory, settings } = starting.plan;
  const at = settings.control.directory;
  const config = resolve(identity.config);
  const onReload = async (report: ReloadReport) => {
    const { formatReload } = await import('../../life/reload.js');
    terminal.err(formatReload(report));
  };
  try {
    return await ControlServer.open({
      identity,
      ...(at !== undefined && { directory: resolve(directory, at) }),
      routes: controlRoutes({ starting, kernel, config, onReload }),
    });
  } catch (error) {
    terminal.err(`warning: ${formatError(error)}`);
    return undefined;
  }
}

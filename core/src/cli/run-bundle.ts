import type { PluginModules } from '../plan/resolve-plugin.js';
import { processTerminal } from './output/process-terminal.js';
import { runProcess } from './run-process.js';

/**
 * The entry of a service that is bundled into one file: runs the command line of `keelson` with these plugins, which the
 * configuration chooses from by `use`. Without a word on the command line it starts the service; `node service.js check`
 * and `node service.js migrate` work too. Ends the process.
 *
 * ```ts
 * runBundle({
 *   "@keelson/http-express": () => import("@keelson/http-express"),
 *   "./dist/orders.plugin.js": () => import("./orders.plugin.js"),
 * });
 * ```
 */
export function runBundle(modules: PluginModules): Promise<never> {
  const words = process.argv.slice(2);
  return runProcess(words.length === 0 ? ['start'] : words, { ...processTerminal, kernel: { modules } });
}

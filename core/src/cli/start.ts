import { formatProblem } from '../config/problem.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import type { ControlServer } from '../control/control-server.js';
import { formatStopReport } from '../life/format-stop-report.js';
import { Kernel } from '../life/kernel.js';
import { formatStartReport, reportToJson, type StopReport } from '../life/report.js';
import { formatError } from '../secrets/format-error.js';
import { type Command, configOptions, exitCodes, kernelOptions, type Options, type Terminal } from './command.js';
import { failureToJson } from './failure-to-json.js';
import type { ServiceToControl } from './open-control-server.js';
import { ProcessWatch } from './process-watch.js';

export const start: Command = {
  name: 'start',
  summary: 'start the service and run it until SIGTERM or Ctrl-C',
  usage: '[--config keelson.yaml] [--environment <name>] [--json] [--verbose]',
  help: `Starts the service. The first SIGTERM or SIGINT stops it in order; a second one ends the process at once.

Exit codes: 0 stopped cleanly, 1 did not start, failed or ended by an uncaught error, 2 wrong usage, 3 forced by a
second signal, 4 the stop gave up on what took longer than shutdown.budgetMs or its own stopTimeoutMs. With --json the
report of the start and that of the stop, or why it did not start, are a line of the standard output each.

  keelson start
  KEELSON_ENV=production keelson start`,
  options: configOptions,
  async run(options, _positionals, terminal) {
    const watch = new ProcessWatch(terminal);
    try {
      return await runService(options, terminal, watch);
    } catch (error) {
      if (options.json === true) terminal.out(JSON.stringify(failureToJson(error)));
      if (isKeelsonError(error, 'KERNEL_START_CANCELLED')) {
        terminal.err(formatError(error));
        return watch.crashed ? exitCodes.failed : exitCodes.clean;
      }
      terminal.err(formatError(error, { verbose: options.verbose === true }));
      return exitCodes.failed;
    } finally {
      watch.end();
    }
  },
};

async function runService(options: Options, terminal: Terminal, watch: ProcessWatch): Promise<number> {
  let kernel: Kernel | undefined;
  let control: Promise<ControlServer | undefined> | undefined;
  try {
    kernel = await Kernel.start({
      ...kernelOptions(options, terminal),
      signal: watch.signal,
      onSlowStart: terminal.err,
      // Not awaited: it makes nobody wait, neither the start nor a stop.
      onStarting: starting => {
        control = openControl({ starting, kernel: () => kernel }, options, terminal);
      },
    });
    return await serve(kernel, options, terminal, watch);
  } finally {
    await (await control)?.close();
  }
}

async function serve(kernel: Kernel, options: Options, terminal: Terminal, watch: ProcessWatch): Promise<number> {
  const json = options.json === true;
  watch.serve(kernel);
  for (const warning of kernel.plan.warnings) terminal.err(`warning: ${formatProblem(warning)}`);
  if (json) terminal.out(JSON.stringify(reportToJson(kernel.report)));
  else terminal.err(formatStartReport(kernel.report));
  const reason = await watch.stopRequested;
  const report = await kernel.stop(reason);
  if (json) terminal.out(JSON.stringify(reportToJson(report)));
  else terminal.err(formatStopReport(report));
  return watch.crashed ? exitCodes.failed : exitCodeOf(report);
}

/** Lets operators reach the service, as long as it starts and runs. A service that they cannot reach runs all the same. */
async function openControl(
  service: ServiceToControl,
  options: Options,
  terminal: Terminal,
): Promise<ControlServer | undefined> {
  if (!service.starting.plan.settings.control.enabled) return undefined;
  try {
    const { openControlServer } = await import('./open-control-server.js');
    return await openControlServer(service, options, terminal);
  } catch (error) {
    terminal.err(`warning: ${formatError(error)}`);
    return undefined;
  }
}

function exitCodeOf(report: StopReport): number {
  switch (report.outcome) {
    case 'clean':
      return exitCodes.clean;
    case 'failed':
      return exitCodes.failed;
    case 'budget-exceeded':
      return exitCodes.budgetExceeded;
  }
}

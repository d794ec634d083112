import { formatProblem } from '../../config/problem.js';
import { isKeelsonError } from '../../contract/keelson-error.js';
import type { ControlServer } from '../../control/control-server.js';
import { Kernel } from '../../life/kernel.js';
import { formatStartReport, formatStopReport, reportToJson, type StopReport } from '../../life/report.js';
import { type CommonValues, defineCommand, exitCodes, type Terminal } from '../command.js';
import { type ConfigChoice, configOptions, kernelOptions } from '../config-options.js';
import { reportFailure } from '../output/report-failure.js';
import { ProcessWatch } from '../start/process-watch.js';
import type { StartProfile } from '../start/start-profiler.js';

type Options = ConfigChoice & CommonValues & { readonly profile: boolean };

export const start = defineCommand({
  description: `Starts the service. The first SIGTERM or SIGINT stops it gracefully; a second one ends the process at once.
SIGHUP reads the configuration again. With --json it prints the start report and the stop report, or the error of a failed
start, as one line each.

With --profile it also prints the time of each step until ready: in Node.js, in Keelson, and in each plugin.`,
  options: {
    profile: { description: 'print the time of each step until ready; measured only with this option' },
    ...configOptions,
  },
  exitCodes: {
    0: 'stopped cleanly',
    1: 'did not start, failed or ended by an uncaught error',
    2: 'wrong usage',
    3: 'forced by a second signal',
    4: 'the stop exceeded shutdown.budgetMs, or a plugin exceeded its stopTimeoutMs',
  },
  examples: ['keelson start', 'KEELSON_ENV=production keelson start'],
  async run({ options, terminal }) {
    const watch = new ProcessWatch(terminal);
    try {
      return await runService(options, terminal, watch);
    } catch (error) {
      const cancelled = isKeelsonError(error, 'KERNEL_START_CANCELLED');
      reportFailure(error, { ...options, verbose: options.verbose && !cancelled }, terminal);
      return cancelled && !watch.crashed ? exitCodes.clean : exitCodes.failed;
    } finally {
      watch.end();
    }
  },
});

async function runService(options: Options, terminal: Terminal, watch: ProcessWatch): Promise<number> {
  let kernel: Kernel | undefined;
  let control: Promise<ControlServer | undefined> | undefined;
  using profiler = options.profile ? await makeProfiler() : undefined;
  try {
    kernel = await Kernel.start({
      ...kernelOptions(options, terminal),
      signal: watch.signal,
      onSlowStart: terminal.err,
      ...(profiler && { around: profiler.around }),
      onStarting: starting => {
        profiler?.planned();
        if (!starting.plan.settings.control.enabled) return;
        // Not awaited: neither the start nor a stop waits for it.
        control = import('../start/open-control.js').then(({ openControl }) =>
          openControl(starting, () => kernel, options, terminal),
        );
      },
    });
    const profile = profiler?.ready();
    return await serve(kernel, profile, options, terminal, watch);
  } finally {
    await (await control)?.close();
  }
}

async function makeProfiler() {
  const { StartProfiler } = await import('../start/start-profiler.js');
  return new StartProfiler();
}

async function serve(
  kernel: Kernel,
  profile: StartProfile | undefined,
  options: Options,
  terminal: Terminal,
  watch: ProcessWatch,
): Promise<number> {
  watch.serve(kernel);
  terminal.onReady?.(kernel);
  for (const warning of kernel.plan.warnings) terminal.err(`warning: ${formatProblem(warning)}`);
  if (options.json) terminal.out(JSON.stringify({ ...reportToJson(kernel.report), profile }));
  else terminal.err(formatStartReport(kernel.report));
  if (!options.json && profile !== undefined) terminal.err(await format(profile));
  const reason = await watch.stopRequested;
  const report = await kernel.stop(reason);
  if (options.json) terminal.out(JSON.stringify(reportToJson(report)));
  else terminal.err(formatStopReport(report));
  return watch.crashed ? exitCodes.failed : exitCodeOf(report);
}

async function format(profile: StartProfile): Promise<string> {
  const { formatProfile } = await import('../start/format-profile.js');
  return `\n${formatProfile(profile)}`;
}

function exitCodeOf({ outcome }: StopReport): number {
  const codes = { clean: exitCodes.clean, failed: exitCodes.failed, 'budget-exceeded': exitCodes.budgetExceeded };
  return codes[outcome];
}

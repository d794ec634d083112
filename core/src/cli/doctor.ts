import satisfies from 'semver/functions/satisfies.js';
import { formatError } from '../errors/format-error.js';
import { isKeelsonError } from '../errors/keelson-error.js';
import { StartError } from '../kernel/errors.js';
import { Kernel } from '../kernel/kernel.js';
import { errorCode, firstLine, totalMs } from '../kernel/report.js';
import { type Command, configOptions, exitCodes, kernelOptions, withoutLogger } from './command.js';
import { type Finding, liveFindings } from './live-findings.js';

export const doctor: Command = {
  name: 'doctor',
  summary: 'try out what the service would meet: connections, permissions, limits, clocks',
  usage: '[--config keelson.yaml] [--environment <name>] [--json] [--verbose]',
  help: `Starts every plugin that can examine its surroundings, and what it needs, but lets no work in; asks each what it
finds, and stops them again. Nothing is changed. check looks at the configuration alone; doctor looks at the world.
When instances of the service run here, what they know comes first: breakers that are not closed and why, pools, health checks
that fail. That needs nothing but the instances, and is told while the database is down.

Exit codes: 0 nothing fails, 1 something does, 2 wrong usage.

  keelson doctor
  keelson doctor --environment production --json`,
  options: configOptions,
  async run(options, _positionals, terminal) {
    const findings: Finding[] = [];
    const json = options.json === true;
    const tell = (...found: readonly Finding[]) => {
      findings.push(...found);
      // At once: what follows may wait long for what is down.
      if (!json) for (const finding of found) terminal.out(format(finding));
    };
    tell(nodeVersion(), ...(await liveFindings(options, terminal)));
    try {
      await using kernel = await Kernel.start({
        ...kernelOptions(options, terminal),
        ...withoutLogger,
        onSlowStart: terminal.err,
        only: plugin => plugin.diagnoses || plugin.planned.manifest.slot === 'database',
      });
      for (const plugin of kernel.report.plugins.filter(each => each.outcome === 'started')) {
        const output = `${plugin.use} started in ${Math.round(totalMs(plugin))} ms.`;
        tell({ plugin: plugin.key, name: 'start', status: 'pass', output });
      }
      for (const [plugin, diagnoses] of await kernel.diagnose()) {
        tell(...diagnoses.map(diagnosis => ({ plugin, ...diagnosis })));
      }
    } catch (error) {
      if (!json) terminal.err(formatError(error, { verbose: options.verbose === true }));
      tell(...failures(error));
    }
    if (json) terminal.out(JSON.stringify(findings, undefined, 2));
    return findings.some(finding => finding.status === 'fail') ? exitCodes.failed : exitCodes.clean;
  },
};

/** A finding for each plugin that did not start, or one for what kept all of them from being tried. */
function failures(error: unknown): Finding[] {
  const { report } = error instanceof StartError ? error : {};
  const failed = report?.plugins.filter(plugin => plugin.outcome === 'failed') ?? [];
  if (failed.length === 0) return [failure('kernel', error)];
  return failed.map(plugin => failure(plugin.key, plugin.error));
}

function failure(plugin: string, error: unknown): Finding {
  const hint = isKeelsonError(error) && error.hint !== undefined ? error.hint : 'Look at what the plugin says.';
  return { plugin, name: 'start', status: 'fail', output: `${errorCode(error)}: ${firstLine(error)}`, hint };
}

function nodeVersion(): Finding {
  const sound = satisfies(process.version, '>=22.17');
  return {
    plugin: 'kernel',
    name: 'Node version',
    status: sound ? 'pass' : 'fail',
    output: `Node ${process.version}.`,
    ...(!sound && { hint: 'Use Node 22.17 or newer; 24 is what Keelson is tested on.' }),
  };
}

function format({ plugin, pid, name, status, output, hint }: Finding): string {
  const sign = { pass: 'ok  ', warn: 'warn', fail: 'FAIL' }[status];
  const who = pid === undefined ? plugin : `${plugin} (pid ${pid})`;
  return `${sign}  ${who}: ${name}  ${output}${hint === undefined ? '' : `\n      -> ${hint}`}`;
}

import satisfies from 'semver/functions/satisfies.js';
import { formatError } from '../secrets/format-error.js';
import {
  type Command,
  configOptions,
  exitCodes,
  kernelOptions,
  type Options,
  withoutLogger,
  wrongUsage,
} from './command.js';
import { examine } from './examine.js';
import { type Finding, liveFindings } from './live-findings.js';

export const doctor: Command = {
  name: 'doctor',
  summary: 'try out what the service would meet: connections, permissions, limits, clocks',
  usage: '[--config keelson.yaml] [--environment <name>] [--connect-timeout-ms 5000] [--json] [--verbose]',
  help: `Starts every plugin that can examine its surroundings, and what it needs, but lets no work in; asks each what it
finds, and stops them again. Nothing is changed. check looks at the configuration alone; doctor looks at the world.
When instances of the service run here, what they know comes first: breakers that are not closed and why, pools, health checks
that fail. That needs nothing but the instances, and is told while the database is down.
What does not start hides nothing of the rest; what needs it is named as not examined. A connection is waited for 5 s, or as long
as --connect-timeout-ms says; connect.timeoutMs of the configuration counts when it is shorter.

Exit codes: 0 nothing fails, 1 something does, 2 wrong usage.

  keelson doctor
  keelson doctor --environment production --json`,
  options: { ...configOptions, 'connect-timeout-ms': { type: 'string' } },
  async run(options, _positionals, terminal) {
    const connectTimeoutMs = connectTimeout(options);
    const findings: Finding[] = [];
    const json = options.json === true;
    const tell = (...found: readonly Finding[]) => {
      findings.push(...found);
      // At once: what follows may wait long for what is down.
      if (!json) for (const finding of found) terminal.out(format(finding));
    };
    const { findings: live, pids } = await liveFindings(options, terminal);
    tell(nodeVersion(), ...live);
    await examine({
      options: { ...kernelOptions(options, terminal), ...withoutLogger, onSlowStart: terminal.err },
      pids,
      connectTimeoutMs,
      tell,
      // What a finding says need not be said twice.
      onError: error => options.verbose === true && terminal.err(formatError(error, { verbose: true })),
    });
    if (json) terminal.out(JSON.stringify(findings, undefined, 2));
    return findings.some(finding => finding.status === 'fail') ? exitCodes.failed : exitCodes.clean;
  },
};

function connectTimeout(options: Options): number {
  const given = options['connect-timeout-ms'] ?? '5000';
  if (!/^[1-9]\d*$/.test(String(given))) {
    throw wrongUsage(`--connect-timeout-ms takes a number of milliseconds, and got ${String(given)}.`);
  }
  return Number(given);
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

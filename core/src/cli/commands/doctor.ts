import { arch, availableParallelism, platform, release } from 'node:os';
import satisfies from 'semver/functions/satisfies.js';
import { contractVersion } from '../../contract/contract-version.js';
import { formatError } from '../../secrets/format-error.js';
import { defineCommand, exitCodes, positiveInteger, printJson } from '../command.js';
import { configOptions, kernelOptions, withoutLogger } from '../config-options.js';
import { examine } from '../doctor/examine.js';
import { type Finding, liveFindings } from '../doctor/live-findings.js';

export const doctor = defineCommand({
  description: `Starts every plugin that can examine its environment, and the plugins that it requires, without accepting work;
prints their findings, and stops them. It changes nothing. check only reads the configuration; doctor also tests connections.

The findings of running instances come first, also while the database is down: breakers that are not closed and why, pools,
failing health checks. When a plugin does not start, the plugins that require it are listed as not examined, and the others are
still examined.`,
  options: {
    'connect-timeout-ms': {
      value: 'ms',
      default: '5000',
      description: 'wait at most this long for a connection, or as long as connect.timeoutMs when that is shorter',
    },
    ...configOptions,
  },
  exitCodes: { 0: 'nothing fails', 1: 'something does' },
  examples: ['keelson doctor', 'keelson doctor --environment production --json'],
  async run({ options, terminal }) {
    const connectTimeoutMs = positiveInteger('connect-timeout-ms', options['connect-timeout-ms']);
    const findings: Finding[] = [];
    const report = (...found: readonly Finding[]) => {
      findings.push(...found);
      // At once: the next steps may wait long for a target that is down.
      if (!options.json) for (const finding of found) terminal.out(format(finding));
    };
    const live = await liveFindings(options, terminal);
    report(nodeVersion(), ...live.findings);
    await examine({
      options: { ...kernelOptions(options, terminal), ...withoutLogger, onSlowStart: terminal.err },
      live,
      connectTimeoutMs,
      report,
      // What a finding says need not be said twice.
      onError: error => options.verbose && terminal.err(formatError(error, { verbose: true })),
    });
    if (options.json) printJson(terminal, findings);
    return findings.some(finding => finding.status === 'fail') ? exitCodes.failed : exitCodes.clean;
  },
});

/** What a report of an issue needs to say of the machine; nothing that tells whose it is. */
function describeSystem(): string {
  return `${platform()} ${release()} ${arch()}, ${availableParallelism()} processors`;
}

function nodeVersion(): Finding {
  const sound = satisfies(process.version, '>=22.17');
  return {
    plugin: 'kernel',
    name: 'Node version',
    status: sound ? 'pass' : 'fail',
    output: `Node ${process.version}, Keelson ${contractVersion}, ${describeSystem()}.`,
    ...(!sound && { hint: 'Use Node 22.17 or newer; Keelson is tested on Node 24.' }),
  };
}

function format({ plugin, pid, name, status, output, hint }: Finding): string {
  const sign = { pass: 'ok  ', warn: 'warn', fail: 'FAIL' }[status];
  const who = pid === undefined ? plugin : `${plugin} (pid ${pid})`;
  return `${sign}  ${who}: ${name}  ${output}${hint === undefined ? '' : `\n      -> ${hint}`}`;
}

import ms from 'ms';
import { stringify } from 'yaml';
import type { InstanceStatus } from '../control/protocol.js';
import type { AwaitedChange, PluginStatus } from '../life/status.js';
import { type Command, exitCodes } from './command.js';
import { askEach, chosenInstances, formatTold, instanceOptions } from './running-instances.js';

export const status: Command = {
  name: 'status',
  summary: 'say how the running instances of the service are: readiness, pools, breakers',
  usage: '[--pid <pid>] [--config keelson.yaml] [--environment <name>] [--json]',
  help: `Asks each instance of this service that this user runs on this machine: since when it runs, its readiness with what
does not pass, and what its plugins tell of themselves. Nothing outside of the processes is asked, so that it answers while the
database does not. Instances are found by their configuration file and environment.

Exit codes: 0 every instance is ready, 1 none runs, one does not answer, or one is not ready, 2 wrong usage.

  keelson status
  keelson status --environment production --json`,
  options: instanceOptions,
  async run(options, _positionals, terminal) {
    const told = await askEach(await chosenInstances(options, terminal), instance => instance.status());
    if (options.json === true) {
      terminal.out(JSON.stringify(told.map(toJson), undefined, 2));
    } else {
      for (const each of told) {
        if ('answer' in each) terminal.out(formatInstance(each.answer));
        else terminal.err(formatTold(each));
      }
    }
    return told.every(each => 'answer' in each && isReady(each.answer)) ? exitCodes.clean : exitCodes.failed;
  },
};

function toJson(told: Awaited<ReturnType<typeof askEach<InstanceStatus>>>[number]): object {
  return 'answer' in told ? told.answer : told;
}

function isReady({ phase, readiness }: InstanceStatus): boolean {
  return phase === 'ready' && readiness.status !== 'fail';
}

function formatInstance(instance: InstanceStatus): string {
  const { service, environment, pid, phase, uptimeMs, readiness, awaitingRestart, plugins } = instance;
  const where = environment === undefined ? '' : ` (${environment})`;
  const checks = readiness.checks
    .filter(check => check.status !== 'pass')
    .map(({ name, status, output }) => `  ${sign(status)}  ${name}: ${output ?? 'says nothing'}`);
  return [
    `${service}${where}  pid ${pid}  ${phase}, readiness ${readiness.status}, up for ${ms(uptimeMs, { long: true })}`,
    ...checks,
    ...awaitingRestart.map(change => `  waits for a restart: ${formatAwaited(change)}`),
    ...plugins.flatMap(formatPlugin),
  ].join('\n');
}

export function formatAwaited({ path, from = 'not set', to = 'not set' }: AwaitedChange): string {
  return `${path} ${from} -> ${to}`;
}

function sign(status: 'pass' | 'warn' | 'fail'): string {
  return { pass: 'ok  ', warn: 'warn', fail: 'FAIL' }[status];
}

function formatPlugin({ key, use, version, outcome, start, error, facts, operations }: PluginStatus): string[] {
  const head = `  ${key}  ${use}${version === undefined ? '' : ` ${version}`}`;
  const not = formatOutcome(outcome, start);
  const why = error === undefined ? '' : `  ${error.code === undefined ? '' : `${error.code}: `}${error.message}`;
  const told = facts === undefined ? [] : stringify(facts, { lineWidth: 0 }).trimEnd().split('\n');
  const names = operations.map(({ name }) => name).join(', ');
  return [
    head + not + why,
    ...told.map(line => `    ${line}`),
    ...(names === '' ? [] : [`    keelson do ${key}: ${names}`]),
  ];
}

function formatOutcome(outcome: PluginStatus['outcome'], start: PluginStatus['start']): string {
  if (start === undefined) return outcome === 'started' ? '' : `  ${outcome.replace('-', ' ')}`;
  const { durationMs, waitsFor } = start;
  const took = outcome === 'starting' ? `for ${ms(durationMs, { long: true })}` : `in ${durationMs} ms`;
  return `  ${outcome} ${took}${waitsFor === undefined ? '' : `: waits for ${waitsFor}`}`;
}

import ms from 'ms';
import { stringify } from 'yaml';
import type { InstanceStatus } from '../../control/protocol.js';
import type { AwaitedChange, PluginStatus } from '../../life/status.js';

/** An instance for a person: its readiness, what waits for a restart, then its plugins. */
export function formatInstance(instance: InstanceStatus): string {
  const { service, environment, pid, phase, uptimeMs, readiness, awaitingRestart, plugins } = instance;
  const where = environment === undefined ? '' : ` (${environment})`;
  const checks = readiness.checks
    .filter(check => check.status !== 'pass')
    .map(({ name, status, output }) => `  ${sign(status)}  ${name}: ${output ?? 'no reason given'}`);
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

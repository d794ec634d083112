import ms from 'ms';
import type { Diagnosis } from '../../contract/inspection.js';
import { isKeelsonError } from '../../contract/keelson-error.js';
import type { InstanceStatus } from '../../control/protocol.js';
import type { PluginStatus, ReadinessStatus } from '../../life/status.js';
import { summarizeError } from '../../secrets/summarize-error.js';
import type { Terminal } from '../command.js';
import type { ConfigChoice } from '../config-options.js';
import { type Answered, askEach } from '../instances/ask-each.js';
import { formatAwaited } from '../instances/format-status.js';
import { environmentsOf, lookForInstances, otherEnvironmentsHint } from '../instances/running-instances.js';

export interface Finding extends Diagnosis {
  readonly plugin: string;
  /** Of the running instance it is about. */
  readonly pid?: number;
}

export interface LiveFindings {
  /** One at least. */
  readonly findings: readonly Finding[];
  readonly pids: readonly number[];
}

/** Returns the findings of the running instances of the service. Throws nothing, and needs only the instances. */
export async function liveFindings(options: ConfigChoice, terminal: Terminal): Promise<LiveFindings> {
  try {
    const { found, inOtherEnvironments } = await lookForInstances(options, terminal);
    if (found.length === 0) return { findings: [noneRuns(await environmentsOf(inOtherEnvironments))], pids: [] };
    const told = await askEach(found, instance => instance.status());
    const findings = told.flatMap(each => ('answer' in each ? findingsOf(each.answer) : [silent(each)]));
    return { findings, pids: found.map(({ pid }) => pid) };
  } catch (error) {
    const { code, message } = summarizeError(error);
    const hint = (isKeelsonError(error) && error.hint) || 'Ask the service for its health over HTTP.';
    const output = `${code}: ${message}`;
    return { findings: [{ ...ofInstance, status: 'warn', output, hint }], pids: [] };
  }
}

const ofInstance = { plugin: 'kernel', name: 'running instance' } as const;

function noneRuns(environments: readonly string[]): Finding {
  const hint = otherEnvironmentsHint(environments);
  const output = `No instance of this service runs here.${hint === undefined ? '' : ` ${hint}`}`;
  return { ...ofInstance, status: 'pass', output };
}

function silent({ pid, error }: Extract<Answered<InstanceStatus>, { error: unknown }>): Finding {
  const { code, message, hint = `Read the log of process ${pid}.` } = error;
  return { ...ofInstance, pid, status: 'fail', output: `${code}: ${message}`, hint };
}

function findingsOf(instance: InstanceStatus): Finding[] {
  const { pid, phase, readiness, plugins, uptimeMs, awaitingRestart } = instance;
  const output = `It is ${phase}, and up for ${ms(uptimeMs, { long: true })}; its readiness is ${readiness.status}.`;
  const waits = plugins.flatMap(({ key, start }) =>
    start?.waitsFor === undefined ? [] : `${key} waits for ${start.waitsFor}`,
  );
  const waiting = { status: 'warn', hint: `${waits.join('; ')}.` } as const;
  return [
    { ...ofInstance, pid, output, ...(waits.length === 0 ? { status: 'pass' } : waiting) },
    ...aboutConfiguration(pid, awaitingRestart),
    ...readiness.checks
      .filter(check => check.status !== 'pass' && !isToldBy(plugins, check))
      .map(check => aboutCheck(pid, check)),
    ...plugins.flatMap(plugin => aboutPlugin(pid, plugin)),
  ];
}

function aboutConfiguration(pid: number, awaited: InstanceStatus['awaitingRestart']): Finding[] {
  if (awaited.length === 0) return [];
  const output = `The configuration was reloaded; these changes need a restart: ${awaited.map(formatAwaited).join(', ')}.`;
  return [
    {
      plugin: 'kernel',
      pid,
      name: 'configuration',
      status: 'warn',
      output,
      hint: 'Restart the service to apply them.',
    },
  ];
}

/** A plugin that has findings of its own says more of itself than its check, unless that one decides on readiness. */
function isToldBy(plugins: readonly PluginStatus[], { name, critical }: ReadinessStatus['checks'][number]): boolean {
  const own = plugins.find(({ key }) => key.replace('/', '-') === name);
  return !critical && own?.findings.some(({ status }) => status !== 'pass') === true;
}

function aboutCheck(pid: number, { name, status, output, critical }: ReadinessStatus['checks'][number]): Finding {
  const hint = critical ? 'The instance gets no requests until it passes.' : 'The instance stays ready.';
  return { plugin: 'health', pid, name, status, output: output ?? 'It does not pass.', hint };
}

function aboutPlugin(pid: number, { key, findings, error }: PluginStatus): Finding[] {
  const told = findings.map(finding => ({ plugin: key, pid, ...finding }));
  if (error === undefined) return told;
  const output = `${error.code ?? 'failed'}: ${error.message}`;
  const hint = 'An optional plugin that failed is started again in the background.';
  return [...told, { plugin: key, pid, name: 'state', status: 'warn', output, hint }];
}

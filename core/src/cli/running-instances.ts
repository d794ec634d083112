import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { ParseArgsOptionsConfig } from 'node:util';
import { loadConfig } from '../config/load-config.js';
import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';
import type { Identity } from '../control/endpoint.js';
import { findInstances, type Instance, type Instances } from '../control/instances.js';
import { planRequest } from '../life/kernel-options.js';
import { slotNames } from '../plan/slots.js';
import { type ErrorSummary, summarizeError } from '../secrets/summarize-error.js';
import { configOptions, kernelOptions, type Options, type Terminal, wrongUsage } from './command.js';

/** The options that choose a configuration, and one of the instances that run with it. */
export const instanceOptions = {
  ...configOptions,
  pid: { type: 'string', short: 'p' },
} as const satisfies ParseArgsOptionsConfig;

/** Who `keelson start` is with these options, for those who look for it. */
export function identityOf(options: Options, terminal: Terminal): Identity {
  const { config, environment } = planRequest(kernelOptions(options, terminal));
  return { config: String(config), environment };
}

/** The instances of the service that the options choose. The configuration need not hold, nor what it names be there. */
export async function lookForInstances(options: Options, terminal: Terminal): Promise<Instances> {
  const request = { ...planRequest(kernelOptions(options, terminal)), slots: slotNames };
  const { settings, directory } = await loadConfig(request);
  const at = settings.control.directory;
  return findInstances(identityOf(options, terminal), at === undefined ? undefined : resolve(directory, at));
}

/**
 * Those of them to work on.
 *
 * @throws KeelsonError CLI_INSTANCE_MISSING when there is none; CLI_USAGE_INVALID for a pid that cannot be one.
 */
export async function chosenInstances(options: Options, terminal: Terminal): Promise<readonly Instance[]> {
  if (options.pid !== undefined && !/^[1-9]\d*$/.test(String(options.pid))) {
    throw wrongUsage(`--pid takes the number of a process, and got ${String(options.pid)}.`);
  }
  const { found, elsewhere, others } = await lookForInstances(options, terminal);
  const chosen = found.filter(({ pid }) => options.pid === undefined || String(pid) === options.pid);
  if (chosen.length > 0) return chosen;
  const pids = found.map(({ pid }) => pid);
  const environments = await environmentsOf(elsewhere);
  const running = await describeOthers(others);
  const { config } = identityOf(options, terminal);
  throw new KeelsonError({
    code: 'CLI_INSTANCE_MISSING',
    message: `No instance of the service of ${config}${existsSync(config) ? '' : ' (there is no such file)'} runs here${options.pid === undefined ? '' : ` with pid ${options.pid}`}.`,
    hint: pids.length > 0 ? `There is pid ${pids.join(', ')}.` : (elsewhereHint(environments) ?? othersHint(running)),
    facts: { config, pids, environments, running },
  });
}

const startHint =
  'Only services started with keelson start by this user on this machine are found; control.enabled must be on.';

function othersHint(running: readonly string[]): string {
  return running.length === 0 ? startHint : `Say which with --config; there is:\n     ${running.join('\n     ')}`;
}

/** `orders, pid 17366, --config examples/orders/keelson.yaml`, of each. */
function describeOthers(instances: readonly Instance[]): Promise<string[]> {
  return Promise.all(
    instances.map(async instance => {
      const status = await instance.status().catch(() => undefined);
      if (status === undefined) return `pid ${instance.pid}, which gives no answer`;
      const { service, pid, config, environment } = status;
      const within = relative('', config);
      const named = environment === undefined ? '' : ` --environment ${environment}`;
      return `${service}, pid ${pid}, --config ${within.startsWith('..') ? config : within}${named}`;
    }),
  );
}

/** What to do when the service runs in another environment; undefined when it does not. */
export function elsewhereHint(environments: readonly string[]): string | undefined {
  const [first] = environments;
  if (first === undefined) return undefined;
  const how = first === '' ? 'leave --environment and KEELSON_ENV out' : `say --environment ${first}`;
  return `The same configuration runs in ${environments.map(name => name || 'no environment').join(', ')}: ${how}.`;
}

/** The environments of `instances`, each once; `''` for none. Those that do not answer are left out. */
export async function environmentsOf(instances: readonly Instance[]): Promise<string[]> {
  const asked = await Promise.allSettled(instances.map(instance => instance.status()));
  const answers = asked.filter(({ status }) => status === 'fulfilled') as PromiseFulfilledResult<{
    environment?: string;
  }>[];
  return [...new Set(answers.map(({ value }) => value.environment ?? ''))];
}

/** What one instance answered, or why it did not do what it was asked. */
export type Told<Answer> = { readonly pid: number } & (
  | { readonly answer: Answer }
  | { readonly error: ErrorSummary & { readonly hint?: string; readonly problems?: unknown } }
);

/** Asks all of them side by side. */
export function askEach<Answer>(
  instances: readonly Instance[],
  ask: (instance: Instance) => Promise<Answer>,
): Promise<Told<Answer>[]> {
  return Promise.all(
    instances.map(async instance => {
      const { pid } = instance;
      try {
        return { pid, answer: await ask(instance) };
      } catch (error) {
        const { hint, facts = {} } = isKeelsonError(error) ? error : {};
        const { problems } = facts;
        // Of our own making, or told by the instance as it was meant for the operator: all lines of it count.
        const { message } = isKeelsonError(error) ? error : summarizeError(error);
        return {
          pid,
          error: {
            ...summarizeError(error),
            message,
            ...(hint !== undefined && { hint }),
            ...(problems !== undefined && { problems }),
          },
        };
      }
    }),
  );
}

/** The error of an instance as `formatError` writes one. */
export function formatTold({ pid, error }: { pid: number; error: ErrorSummary & { hint?: string } }): string {
  const hint = error.hint === undefined ? '' : `\n  -> ${error.hint}`;
  return `pid ${pid}: ${error.code ?? 'failed'}  ${error.message}${hint}`;
}

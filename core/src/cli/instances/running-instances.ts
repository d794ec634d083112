import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { loadConfig } from '../../config/load-config.js';
import { KeelsonError } from '../../contract/keelson-error.js';
import { findInstances, type Instance, type Instances } from '../../control/instances.js';
import { planRequest } from '../../life/kernel-options.js';
import { slotNames } from '../../plan/slots.js';
import { type OptionDeclarations, type OptionValues, positiveInteger, type Terminal } from '../command.js';
import { type ConfigChoice, configOptions, identityOf, kernelOptions } from '../config-options.js';
import { askEach } from './ask-each.js';

/** The options that choose a configuration, and one of the instances that run with it. */
export const instanceOptions = {
  pid: { value: 'pid', short: 'p', description: 'reach this instance alone, by its process id' },
  ...configOptions,
} as const satisfies OptionDeclarations;

/** The instances of the service that the options choose. The configuration need not hold, nor what it names be there. */
export async function lookForInstances(options: ConfigChoice, terminal: Terminal): Promise<Instances> {
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
export async function chosenInstances(
  options: OptionValues<typeof instanceOptions>,
  terminal: Terminal,
): Promise<readonly Instance[]> {
  const wanted = options.pid === undefined ? undefined : positiveInteger('pid', options.pid);
  const { found, inOtherEnvironments, others } = await lookForInstances(options, terminal);
  const chosen = found.filter(({ pid }) => wanted === undefined || pid === wanted);
  if (chosen.length > 0) return chosen;
  const pids = found.map(({ pid }) => pid);
  const environments = await environmentsOf(inOtherEnvironments);
  const running = await describeOthers(others);
  const { config } = identityOf(options, terminal);
  throw new KeelsonError({
    code: 'CLI_INSTANCE_MISSING',
    message: `No instance of the service of ${config}${existsSync(config) ? '' : ' (file not found)'} runs here${wanted === undefined ? '' : ` with pid ${wanted}`}.`,
    hint:
      pids.length > 0
        ? `Running instances: pid ${pids.join(', ')}.`
        : (otherEnvironmentsHint(environments) ?? othersHint(running)),
    facts: { config, pids, environments, running },
  });
}

const startHint =
  'Only services started with keelson start by this user on this machine are found; control.enabled must be on.';

function othersHint(running: readonly string[]): string {
  return running.length === 0 ? startHint : `Choose one with --config:\n     ${running.join('\n     ')}`;
}

/** `orders, pid 17366, --config examples/orders/keelson.yaml`, of each. */
function describeOthers(instances: readonly Instance[]): Promise<string[]> {
  return Promise.all(
    instances.map(async instance => {
      const status = await instance.status().catch(() => undefined);
      if (status === undefined) return `pid ${instance.pid}, which does not answer`;
      const { service, pid, config, environment } = status;
      const within = relative('', config);
      const named = environment === undefined ? '' : ` --environment ${environment}`;
      return `${service}, pid ${pid}, --config ${within.startsWith('..') ? config : within}${named}`;
    }),
  );
}

/** What to do when the service runs in another environment; undefined when it does not. */
export function otherEnvironmentsHint(environments: readonly string[]): string | undefined {
  const [first] = environments;
  if (first === undefined) return undefined;
  const how = first === '' ? 'omit --environment and KEELSON_ENV' : `use --environment ${first}`;
  return `The same configuration runs in ${environments.map(name => name || 'no environment').join(', ')}: ${how}.`;
}

/** The environments of `instances`, each once; `''` for none. Those that do not answer are left out. */
export async function environmentsOf(instances: readonly Instance[]): Promise<string[]> {
  const answers = await askEach(instances, instance => instance.status());
  return [...new Set(answers.flatMap(each => ('answer' in each ? [each.answer.environment ?? ''] : [])))];
}

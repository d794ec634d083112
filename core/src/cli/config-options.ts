import { existsSync } from 'node:fs';
import { configFiles } from '../config/config-files.js';
import type { Identity } from '../control/endpoint.js';
import { planRequest } from '../life/kernel-options.js';
import type { OptionDeclarations, OptionValues, Terminal } from './command.js';

/** The options that choose a configuration, which most commands take. */
export const configOptions = {
  config: {
    value: 'file',
    short: 'c',
    description: `read this configuration (default: the first of ${configFiles.join(', ')} that exists)`,
  },
  environment: {
    value: 'name',
    short: 'e',
    description: 'merge keelson.<name>.yaml over it (default: the variable KEELSON_ENV)',
  },
} as const satisfies OptionDeclarations;

export type ConfigChoice = OptionValues<typeof configOptions>;

export function kernelOptions({ config, environment }: ConfigChoice, { variables, kernel }: Terminal) {
  return {
    ...kernel,
    config: config ?? configFiles.find(file => existsSync(file)) ?? 'keelson.yaml',
    variables,
    ...(environment !== undefined && { environment }),
  };
}

/** Identifies the service that `keelson start` starts with these options. */
export function identityOf(options: ConfigChoice, terminal: Terminal): Identity {
  const given = kernelOptions(options, terminal);
  return { config: given.config, environment: planRequest(given).environment };
}

/** For a command whose own output is what counts: lines of a logger would stand in the middle of it. */
export const withoutLogger = { overrides: { plugins: { logger: { use: 'none' } } } } as const;

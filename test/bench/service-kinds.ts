import { fileURLToPath } from 'node:url';

/** One way to write the service that is measured. */
export interface ServiceKind {
  readonly name: string;
  readonly title: string;
  /** Beside the stacks there is the baseline once more, and Keelson in other settings. */
  readonly role: 'stack' | 'again' | 'variant';
  readonly script: string;
  readonly words: readonly string[];
  readonly directory: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Answers 200 as soon as the service can take requests. */
  readonly readyPath: string;
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

export const peersDirectory = path('peers');
export const keelsonDirectory = path('keelson-service');

const peer = (name: string, title: string): ServiceKind => ({
  name,
  title,
  role: 'stack',
  script: path(`peers/${name}.mjs`),
  words: [],
  directory: peersDirectory,
  variables: {},
  readyPath: '/healthz',
});

const keelson: ServiceKind = {
  name: 'keelson',
  title: 'Keelson',
  role: 'stack',
  script: path('../../core/bin/keelson.js'),
  words: ['start'],
  directory: keelsonDirectory,
  variables: {},
  readyPath: '/readyz',
};

const variant = (name: string, title: string, variables: ServiceKind['variables']): ServiceKind => ({
  ...keelson,
  name: `keelson-${name}`,
  title,
  role: 'variant',
  variables,
});

export const baseline = 'bare';
/** The same service once more: how far its ratios are from 1 is what the figures of this machine are worth. */
export const baselineAgain = 'bare-again';

const bare = peer(baseline, 'Express + MikroORM (bare)');

/** In the order of the tables. */
export const serviceKinds: readonly ServiceKind[] = [
  bare,
  { ...bare, name: baselineAgain, title: 'bare once more (A/A)', role: 'again' },
  keelson,
  variant('log-off', 'Keelson, LOG_LEVEL=warn', { LOG_LEVEL: 'warn' }),
  variant('telemetry', 'Keelson with Sentry', { KEELSON_ENV: 'telemetry' }),
  variant('routes-express', 'Keelson, route() on Express', { KEELSON_ENV: 'routes-express' }),
  variant('routes-fastify', 'Keelson, route() on Fastify', { KEELSON_ENV: 'routes-fastify' }),
  peer('nest', 'NestJS + MikroORM + Terminus'),
  peer('express-pg', 'Express + pg by hand'),
  peer('fastify-pg', 'Fastify + pg by hand'),
];

export function serviceKind(name: string): ServiceKind {
  const kind = serviceKinds.find(each => each.name === name);
  if (kind === undefined) throw new Error(`No service is called "${name}".`);
  return kind;
}

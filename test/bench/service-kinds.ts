import { fileURLToPath } from 'node:url';

/** One way to write the service that is measured. */
export interface ServiceKind {
  readonly name: string;
  readonly title: string;
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

const peer = (name: string, title: string, file = name): ServiceKind => ({
  name,
  title,
  script: path(`peers/${file}.mjs`),
  words: [],
  directory: peersDirectory,
  variables: {},
  readyPath: '/healthz',
});

const keelson = (name: string, title: string, variables: ServiceKind['variables'] = {}): ServiceKind => ({
  name,
  title,
  script: path('../../core/bin/keelson.js'),
  words: ['start'],
  directory: keelsonDirectory,
  variables,
  readyPath: '/readyz',
});

export const baseline = 'bare';
/** The same service once more: how far its ratios are from 1 is what the figures of this machine are worth. */
export const baselineAgain = 'bare-again';

/** In the order of the tables. */
export const serviceKinds: readonly ServiceKind[] = [
  peer(baseline, 'Express + MikroORM (bare)'),
  peer(baselineAgain, 'bare once more (A/A)', 'bare'),
  keelson('keelson', 'Keelson'),
  keelson('keelson-log-off', 'Keelson, LOG_LEVEL=warn', { LOG_LEVEL: 'warn' }),
  keelson('keelson-telemetry', 'Keelson with Sentry', { KEELSON_ENV: 'telemetry' }),
  peer('nest', 'NestJS + MikroORM + Terminus'),
  peer('express-pg', 'Express + pg by hand'),
  peer('fastify-pg', 'Fastify + pg by hand'),
];

export function serviceKind(name: string): ServiceKind {
  const kind = serviceKinds.find(each => each.name === name);
  if (kind === undefined) throw new Error(`No service is called "${name}".`);
  return kind;
}

/** The folders of `core/src`, in the order in which they may build on each other: each imports only those before it. */
export const coreLayers: readonly string[] = [
  'contract',
  'secrets',
  'time',
  'metrics',
  'retry',
  'telemetry',
  'config',
  'credentials',
  'logging',
  'plan',
  'container',
  'life',
  'control',
  'testing',
  'cli',
];

/** Packages that every plugin may import: contracts, and libraries that several plugins share. They fill no slot. */
export const contractPackages = [
  '@keelson/core',
  '@keelson/database',
  '@keelson/http',
  '@keelson/http-server',
  '@keelson/otlp',
];

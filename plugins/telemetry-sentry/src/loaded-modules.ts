import { createRequire } from 'node:module';

const instrumented = ['pg', 'pg-pool', 'express', 'router'];

/** Modules that Sentry hooks as they load and that have been loaded already: their spans will be missing. */
export function loadedTooEarly(): readonly string[] {
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  return instrumented.filter(name =>
    loaded.some(file => file.replaceAll('\\', '/').includes(`/node_modules/${name}/`)),
  );
}

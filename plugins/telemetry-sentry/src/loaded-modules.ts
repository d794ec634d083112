import { createRequire } from 'node:module';

const instrumented = ['pg', 'pg-pool', 'express', 'router'];

/** Returns modules that loaded before Sentry could hook them: their spans will be missing. */
export function loadedTooEarly(): readonly string[] {
  return loadedModules();
}

/** Returns loaded modules that Sentry should have hooked and did not. A guess from its internals. */
export function loadedWithoutHooks(): readonly string[] {
  const { __SENTRY_ORCHESTRION__: orchestrion } = globalThis as { __SENTRY_ORCHESTRION__?: { runtime?: unknown } };
  const hooked = Array.isArray(orchestrion?.runtime) ? orchestrion.runtime : [];
  // express 5 is hooked in its router.
  return loadedModules().filter(name => name !== 'express' && !hooked.includes(name));
}

function loadedModules(): readonly string[] {
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  return instrumented.filter(name =>
    loaded.some(file => file.replaceAll('\\', '/').includes(`/node_modules/${name}/`)),
  );
}

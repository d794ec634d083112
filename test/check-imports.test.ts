import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '@keelson/test-support/database';
import { recordModules } from '@keelson/test-support/recorded-modules';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { startService } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

/** The modules of this repository among them: `plugins/health/dist/manifest.js`. */
const own = (modules: readonly string[]) =>
  modules.flatMap(url => /\/((?:core|plugins\/[^/]+)\/(?:dist|bin)\/.*)/.exec(url)?.[1] ?? []);

/** The modules of `@keelson/core` among them: `cli/main.js`. */
const ofCore = (modules: readonly string[]) => modules.flatMap(url => /\/core\/dist\/(.*)/.exec(url)?.[1] ?? []);

/** Whether it is an ES module that imports `node:http`, which loads undici: see `node-http.ts`. */
const importsHttp = (url: string) =>
  url.startsWith('file:') && /^import .* from ['"](node:)?http['"]/m.test(readFileSync(fileURLToPath(url), 'utf8'));

test('keelson check imports the manifests of the orders example, and nothing that works', async () => {
  const { variables, modules } = await recordModules();
  const { code } = await runKeelson(['check'], { variables });
  expect(code).toBe(0);

  const loaded = await modules();
  const packages = loaded.map(url => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]);
  expect(packages).toContain('zod');
  const heavy =
    /^(@mikro-orm|@electric-sql|@sentry|@opentelemetry|@inversifyjs)\/|^(inversify|express|fastify|body-parser|pg|kysely|opossum|bunyan|pino|prom-client|semver)$/;
  expect([...new Set(packages)].filter(name => name !== undefined && heavy.test(name))).toEqual([]);
  expect(loaded.filter(url => /orders\.plugin|\/control\/|^node:http$/.test(url))).toEqual([]);
  expect(own(loaded).filter(file => /^plugins\/[^/]+\/dist\/(index|plugin)\.js$/.test(file))).toEqual([]);
  expect(own(loaded).filter(file => /^core\/dist\/(life\/(start|reload|revival)|container\/)/.test(file))).toEqual([]);
  // A few more than there are; raise it for what every plan needs.
  expect(own(loaded).length).toBeLessThanOrEqual(142);
});

test('keelson start of the orders example on PostgreSQL loads nothing before it is used: migrations, reloads, diagnoses', async () => {
  await using database = await createTestDatabase();
  const { variables, modules } = await recordModules();
  const chosen = { ...variables, KEELSON_ENV: 'postgres', DATABASE_URL: database.url };
  await using migrated = await startService({ variables: { ...chosen, NODE_OPTIONS: '' } });
  await migrated.stop();
  await using service = await startService({
    variables: { ...chosen, KEELSON_DATABASE__MIGRATIONS__AT_START: 'false' },
  });
  expect((await service.request('GET', '/orders')).status).toBe(200);
  expect(await service.stop()).toEqual({ code: 0, signal: null });

  const loaded = await modules();
  const unused = [
    /^core\/dist\/life\/(reload|changed-values|revival|operate|status)\.js$/,
    /^plugins\/database\/dist\/(diagnose\.js|testing\/|schema\/(validate|compare|draft)|migrations\/migration-run)/,
    /^plugins\/(http\/dist\/rate-limits\/(rate-limits|network-of)\.js|http-server\/dist\/diagnose-port\.js|telemetry-(sentry|otel)\/|metrics-otlp\/|logger-pino\/|database-pglite\/|faults\/|console\/)/,
    /^(core\/dist\/metrics\/|plugins\/(metrics-prometheus\/|(http-server|health)\/dist\/\w+-metrics\.js))/,
  ];
  expect(own(loaded).filter(file => unused.some(pattern => pattern.test(file)))).toEqual([]);
  expect(loaded.filter(url => /\/node_modules\/(semver|@sentry|@opentelemetry|@electric-sql)\//.test(url))).toEqual([]);
  expect(loaded.filter(importsHttp)).toEqual([]);
  // A few more than there are; raise it for what every start needs.
  expect(own(loaded).length).toBeLessThanOrEqual(516);
});

test('keelson start of the hello example loads the start, and nothing of other commands, of tests or of tools', async () => {
  const { variables, modules } = await recordModules();
  await using service = await startService({ example: 'hello', variables });
  expect(await service.stop()).toEqual({ code: 0, signal: null });

  const core = ofCore(await modules());
  expect(core.filter(file => file.startsWith('cli/')).toSorted()).toEqual([
    'cli/command.js',
    'cli/commands.js',
    'cli/commands/start.js',
    'cli/config-options.js',
    'cli/main.js',
    'cli/output/drained.js',
    'cli/output/fold.js',
    'cli/output/live-line.js',
    'cli/output/paint.js',
    'cli/output/process-terminal.js',
    'cli/output/report-failure.js',
    'cli/parse-call.js',
    'cli/run-keelson.js',
    'cli/run-process.js',
    'cli/start/open-control.js',
    'cli/start/process-watch.js',
    'cli/start/signals.js',
  ]);
  const ofTools = /^testing\/|\/conformance\.js$|^plan\/(draw-graph|service-schema)\.js$|^control\/instances\.js$/;
  expect(core.filter(file => ofTools.test(file))).toEqual([]);
  expect((await modules()).filter(url => url.includes('/core/templates/'))).toEqual([]);
});

test('keelson help loads no command, and keelson --version no kernel', async () => {
  const help = await recordModules();
  expect((await runKeelson(['help'], { variables: help.variables })).code).toBe(0);
  expect(ofCore(await help.modules()).filter(file => file.startsWith('cli/commands/'))).toEqual([]);
  const version = await recordModules();
  expect((await runKeelson(['--version'], { variables: version.variables })).code).toBe(0);
  expect(ofCore(await version.modules()).filter(file => /^(life|plan|container)\//.test(file))).toEqual([]);
});

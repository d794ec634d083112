import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

// Each worker is a process of its own. What one has compiled of the packages, the others need not compile again.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache');
// The TypeScript compiler is a program in Go. It needs a fifth less time when it collects garbage seldom.
process.env.GOGC ??= '400';

const all = [
  'core/src/**/*.test.ts',
  'core/create-keelson/{src,template/src}/**/*.test.ts',
  'plugins/*/src/**/*.test.ts',
  'examples/*/src/**/*.test.ts',
  'test/**/*.test.ts',
];

/**
 * Files that follow each other in one process, which loads what they import once for all of them. Not those that start a
 * kernel or read its configuration, for the secrets in it stay known to the process; nor those that change or measure their
 * process.
 */
const together = globSync(
  [
    'core/src/{contract,credentials,logging,metrics,plan,retry,secrets,telemetry,testing}/**/*.test.ts',
    'core/src/{cli/output/*,cli/start/add-up,life/plugin-state}.test.ts',
    'plugins/{database,database-postgresql,http,http-server,retry-*}/src/**/*.test.ts',
    'plugins/{console,faults,health,http-client,logger-*,metrics-prometheus}/src/**/*.test.ts',
    'plugins/database-pglite/src/{data-dir,missing-files,parameter-text,type-parsers,wire-messages}.test.ts',
    'examples/orders/src/{orders/*,payments/*,time-ordered-id,welcome}.test.ts',
    'test/{array-values,bulk-insert,docker-compose,dropped-work,lasting-state,nested-beside}.test.ts',
    'test/bench/{options,plan,results-page,statistics}.test.ts',
    'test/outages/{account,invariants,repeated,table}.test.ts',
    'test/support/{eventually,frame-reader,haproxy,ledger,pgbouncer,tcp-proxy,wire-counter,wire-session}.test.ts',
    'test/{docs/plain-english,imports/imports,topologies/table}.test.ts',
  ],
  {
    cwd: import.meta.dirname,
    exclude: [
      'core/src/contract/old-generation.test.ts',
      'core/src/credentials/credential-keeper.test.ts',
      'core/src/plan/{check-config,make-plan,resolve-plugin,shared-packages}.test.ts',
      'core/src/secrets/{known-secrets,mask-values,masking-logger,withheld-values}.test.ts',
      'core/src/testing/test-kernel.test.ts',
      'plugins/*/src/plugin.test.ts',
      'plugins/database-postgresql/src/{batch,bulk-insert,connect-failures,diagnose,unreachable}.test.ts',
      'plugins/health/src/{health-metrics,probe-handler}.test.ts',
      'plugins/http-client/src/{conformance,request-metrics,tracing}.test.ts',
      'plugins/http-server/src/{cut-requests,diagnose-port,instances,rate-limits,repeatable,service,streaming}.test.ts',
      'plugins/logger-bunyan/src/direct-lines.test.ts',
      'plugins/retry-opossum/src/{operator,opossum-breaker}.test.ts',
    ],
  },
);

const project = (test: NonNullable<TestProjectInlineConfiguration['test']>): TestProjectInlineConfiguration => ({
  test: {
    ...test,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Built packages are loaded by Node, as in a service: nothing of them needs to be transformed.
    server: { deps: { external: [/\/(core|plugins\/[^/]+)\/dist\//] } },
  },
});

/** What both servers promise: the same files once more, with Fastify in the place of Express. */
const servers = 'plugins/http-server/src/**/*.test.ts';
/** Those in which the framework has no part. */
const once = [
  'plugins/http-server/src/{consistency,diagnose-port,instances,listen,overload,rate-limits,streaming,tenants}.test.ts',
];
const isServer = (file: string) => file.startsWith('plugins/http-server/');
const fastify = { KEELSON_TEST_SERVER: 'fastify' };

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // One more than a small machine has processors: some files mostly wait.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      project({ name: 'alone', include: all, exclude: [...configDefaults.exclude, ...together] }),
      project({ name: 'together', include: together, isolate: false }),
      project({
        name: 'fastify alone',
        include: [servers, 'test/orders.test.ts'],
        exclude: [...together, ...once],
        env: fastify,
      }),
      project({ name: 'fastify', include: together.filter(isServer), exclude: once, isolate: false, env: fastify }),
    ],
  },
});

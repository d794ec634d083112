import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/**
 * The files that take twelve seconds and more, so that none of them is left for the end, where it would run alone. Those that
 * mostly wait, as for outages, stand between those that keep a processor busy.
 */
const long = [
  'test/create-keelson.test.ts',
  'test/outages/network.test.ts',
  'test/no-calls-home.test.ts',
  'test/outages/server.test.ts',
  'plugins/database-pglite/src/conformance.test.ts',
  'test/topologies/pgbouncer.test.ts',
  'test/packages.test.ts',
  'test/keep-alive-stop.test.ts',
  'test/bundling.test.ts',
  'test/outages/refusals.test.ts',
  'test/swap.test.ts',
  'test/topologies/one-address.test.ts',
  'test/console/console.test.ts',
  'test/outages/tokens.test.ts',
  'core/src/cli/dev.test.ts',
  'test/health-probes.test.ts',
  'test/npm-start.test.ts',
  'test/support/replication.test.ts',
  'test/simulation/simulation.test.ts',
  'plugins/http-server/src/rate-limits.test.ts',
  'test/metrics/alerts.test.ts',
  'test/operator-errors.test.ts',
  'plugins/database-pglite/src/pglite-driver.test.ts',
  'test/logger-level.test.ts',
  'plugins/database-pglite/src/memory-databases.test.ts',
  'test/row-streams.test.ts',
  'test/docs/mikro-orm-page.test.ts',
  'plugins/telemetry-sentry/src/plugin.test.ts',
  'test/telemetry.test.ts',
  'core/src/cli/usage.test.ts',
  'test/orders-import.test.ts',
  'core/src/cli/tools.test.ts',
  'test/loggers.test.ts',
  'plugins/http-server/src/service.test.ts',
  'core/src/cli/running-service.test.ts',
  'plugins/http-fastify/src/fastify.test.ts',
  'plugins/database-postgresql/src/connect-failures.test.ts',
  'core/src/life/random-configurations.test.ts',
  'plugins/database-postgresql/src/conformance.test.ts',
  'plugins/database-postgresql/src/failover.test.ts',
  'plugins/database-postgresql/src/lacking.test.ts',
  'plugins/database-postgresql/src/verify.test.ts',
  'plugins/database-postgresql/src/deadlines.test.ts',
  'plugins/database-postgresql/src/exactly-once.test.ts',
  'plugins/database-postgresql/src/listening.test.ts',
  'plugins/database-postgresql/src/lost-statements.test.ts',
  'plugins/database-postgresql/src/schema.test.ts',
  'plugins/database-postgresql/src/prepared-statements.test.ts',
  'plugins/database-postgresql/src/engine/find-engine.test.ts',
  'plugins/database-postgresql/src/schema-constraints.test.ts',
  'plugins/database-postgresql/src/migration-lock.test.ts',
  'plugins/database-postgresql/src/commit-tokens.test.ts',
  'plugins/database-postgresql/src/rotation.test.ts',
  'plugins/http-server/src/routes.test.ts',
];

/**
 * Runs the long files first, also in a fresh checkout, where Vitest does not know yet how long each takes. Those that
 * share a process stay together: it is kept only if the next file is one of theirs.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => rank(one) - rank(other) || place(one) - place(other));
  }
}

/** Long files of their own process, those that share one, all others. */
function rank(file: TestSpecification): number {
  if (!file.project.config.isolate) return 1;
  return place(file) < long.length ? 0 : 2;
}

function place({ moduleId }: TestSpecification): number {
  const index = long.findIndex(path => moduleId.endsWith(`/${path}`));
  return index === -1 ? long.length : index;
}

import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/**
 * The files that take ten seconds and more, so that none of them is left for the end, where it would run alone. Those of
 * the outages mostly wait: each stands between files that keep a processor busy.
 */
const long = [
  'test/outages/network.test.ts',
  'core/src/life/random-configurations.test.ts',
  'test/swap.test.ts',
  'plugins/database-pglite/src/pglite-driver.test.ts',
  'test/soak.test.ts',
  'test/outages/server.test.ts',
  'test/keep-alive-stop.test.ts',
  'test/npm-start.test.ts',
  'plugins/database-pglite/src/conformance.test.ts',
  'plugins/database-pglite/src/memory-databases.test.ts',
  'test/outages/refusals.test.ts',
  'plugins/http-server/src/streaming.test.ts',
  'plugins/logger-bunyan/src/plugin.test.ts',
  'plugins/telemetry-sentry/src/plugin.test.ts',
  'plugins/http-server/src/service.test.ts',
  'plugins/database-postgresql/src/verify.test.ts',
  'plugins/database-postgresql/src/deadlines.test.ts',
  'plugins/database-postgresql/src/failover.test.ts',
  'plugins/database-postgresql/src/conformance.test.ts',
  'plugins/database-postgresql/src/pool-faults.test.ts',
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

import { findProgram } from '@keelson/test-support/daemon';
import { afterAll, expect, test } from 'vitest';
import { closeStages } from './outage-scenarios.js';
import type { Form, Found, Scenario } from './topology.js';

interface TestOptions {
  readonly form: Form;
  readonly timeoutMs: number;
  /** Not for a scenario that is skipped. */
  readonly onBegun?: () => void;
  readonly onFound?: (scenario: Scenario, found: Found) => void;
}

/** Makes a test of each of `scenarios`; skipped by name where a program is missing. */
export function testScenarios(
  scenarios: readonly Scenario[],
  { form, timeoutMs, onBegun, onFound }: TestOptions,
): void {
  afterAll(closeStages);
  for (const scenario of scenarios.filter(({ isLong }) => form === 'long' || isLong !== true)) {
    const { topology, what, needs = [], run } = scenario;
    const isMissing = needs.some(name => findProgram(name) === undefined);
    test.skipIf(isMissing)(
      `${topology}: ${what}`,
      async () => {
        onBegun?.();
        const found = await run(form);
        expect(found).toMatchObject({ lost: 0, doubled: 0 });
        onFound?.(scenario, found);
      },
      timeoutMs,
    );
  }
}

export type ConformanceOutcome = 'passed' | 'not-applicable';

/**
 * One promise of a slot, checked on an implementation.
 *
 * Needs no test runner; with one it is a test:
 *
 * ```ts
 * test.each(loggerConformance(harness))('$name', async ({ run }) => void (await run()));
 * ```
 */
export interface ConformanceCase {
  /** The promise, as a sentence without its subject. */
  readonly name: string;
  /** The condition of the promise, in a few words; reported when the promise is not applicable. */
  readonly needs?: string;
  /** True when all other promises depend on this one: they are skipped when it is broken. Default false. */
  readonly decisive?: boolean;
  /** Rejects with an AssertionError that says what was expected; `not-applicable` when the harness cannot show it. */
  run(): Promise<ConformanceOutcome>;
}

/** Returns a case that builds a harness, checks it, and always disposes of it. */
export function conformanceCase<Harness extends { close?(): void | Promise<void> }>(
  name: string,
  createHarness: () => Harness | Promise<Harness>,
  check: (harness: Harness) => Promise<ConformanceOutcome>,
  needs?: string,
): ConformanceCase {
  return {
    name,
    ...(needs !== undefined && { needs }),
    run: async () => {
      const harness = await createHarness();
      try {
        return await check(harness);
      } finally {
        await harness.close?.();
      }
    },
  };
}

/** Returns a function that makes the cases of a suite; with `needs`, those of a promise that only some harnesses can show. */
export function casesOf<Harness extends { close?(): void | Promise<void> }>(
  createHarness: () => Harness | Promise<Harness>,
  needs?: string,
  applies: (harness: Harness) => boolean = () => true,
) {
  return (name: string, check: (harness: Harness) => Promise<void>): ConformanceCase => {
    const checkIfApplicable = async (harness: Harness): Promise<ConformanceOutcome> => {
      if (!applies(harness)) return 'not-applicable';
      await check(harness);
      return 'passed';
    };
    return conformanceCase(name, createHarness, checkIfApplicable, needs);
  };
}

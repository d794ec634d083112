import type { Scenario } from './scenario.ts';

/** Whether the scenario still shows what is looked for. */
type Fails = (scenario: Scenario) => Promise<boolean>;

/**
 * A smaller scenario that fails in the same way: fewer faults, then fewer clients, then less time. The streams of chance are
 * apart from each other, so what stays does what it did before, as far as it can.
 */
export async function shrink(scenario: Scenario, fails: Fails, mostTries = 60): Promise<Scenario> {
  let smallest = scenario;
  let tries = 0;
  const accept = async (smaller: Scenario): Promise<boolean> => {
    if (tries >= mostTries) return false;
    tries += 1;
    if (!(await fails(smaller))) return false;
    smallest = smaller;
    return true;
  };
  for (const part of ['faults', 'clients'] as const) {
    for (let size = Math.ceil(smallest[part].length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < smallest[part].length; ) {
        const all: readonly unknown[] = smallest[part];
        const smaller = { ...smallest, [part]: all.toSpliced(at, size) };
        if (!(await accept(smaller))) at += size;
      }
    }
  }
  const lastMs = Math.max(0, ...smallest.faults.map(({ atMs }) => atMs));
  for (const durationMs of [smallest.durationMs / 4, smallest.durationMs / 2, (smallest.durationMs * 3) / 4])
    if (durationMs > lastMs && (await accept({ ...smallest, durationMs }))) break;
  return smallest;
}

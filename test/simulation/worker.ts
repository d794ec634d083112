// One process of `npm run simulate`: runs seeds, and prints one line of JSON for each.
import './process.ts';
import { mutationCalled, plant } from './mutations/apply.ts';
import { begins, type Finding, type Order } from './order.ts';

const order: Order = JSON.parse(process.argv[2] ?? '{}');
if (order.mutation !== undefined) plant(mutationCalled(order.mutation));

// Only now: the code under test is to be loaded into the process as it is by then.
const { simulate } = await import('./simulate.ts');
const { makeScenario } = await import('./scenario/make-scenario.ts');
const { shrink } = await import('./scenario/shrink.ts');
const { real } = await import('./world/globals.ts');

// On a busy machine, loading the code takes seconds, and one seed half a minute. So the seed that runs at the end is left.
/** How much of the time that it takes to load the code is not counted, in ms. */
const longestLoadMs = 5_000;
if (order.seconds !== undefined) {
  const endsAt = order.seconds * 1_000 + Math.min(real.now(), longestLoadMs);
  real.setTimeout(exit, Math.max(0, endsAt - real.now()));
}
for (const seed of seedsOf(order)) {
  process.stdout.write(`${begins}${seed}\n`);
  const finding = await look(String(seed));
  process.stdout.write(`${JSON.stringify(finding)}\n`);
  if (finding.violations.length > 0 && order.stopsAtFirst) break;
}
exit();

/** When all lines are written: a long one takes its reader several turns. */
function exit(): void {
  process.stdout.write('', () => process.exit(0));
}

function* seedsOf({ from, step, count, seeds }: Order): Iterable<number> {
  if (seeds !== undefined) yield* seeds;
  else for (let done = 0; done < count; done += 1) yield from + done * step;
}

async function look(name: string): Promise<Finding> {
  const scenario = makeScenario(name, order.size);
  const outcome = await simulate(scenario, { keepsStory: order.keepsStory });
  const again = order.twice ? await simulate(scenario) : outcome;
  const violations = [...outcome.violations];
  if (again.hash !== outcome.hash)
    violations.push({ property: 'the same seed is the same run', text: `${outcome.hash} and ${again.hash}`, atMs: 0 });
  const finding: Finding = {
    seed: name,
    hash: outcome.hash,
    violations,
    requests: outcome.requests,
    simulatedMs: outcome.simulatedMs,
    happened: outcome.happened,
    tookMs: outcome.tookMs,
    reached: [...outcome.reached],
    ...(order.keepsStory && { story: outcome.story, scenario }),
  };
  const [first] = violations;
  if (first === undefined || !order.shrinks) return finding;
  const isSame = async (smaller: typeof scenario) =>
    (await simulate(smaller)).violations.some(({ property }) => property === first.property);
  const smallest = await shrink(scenario, isSame);
  const { story, violations: left } = await simulate(smallest, { keepsStory: true });
  return { ...finding, violations: left, story, scenario: smallest };
}

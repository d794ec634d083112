// `npm run simulate`: outages of a simulated world, each from a number.
//
//   npm run simulate -- --seeds 1000        runs so many seeds, which are other ones each time
//   npm run simulate -- --seconds 60        runs seeds for so long
//   npm run simulate -- --seed 4711         runs one seed; a failing one is shrunk, and its story printed
//   npm run simulate -- --seed 4711 --trace prints its story in any case
//   npm run simulate -- --mutations         plants each bug of the list, and counts the seeds until it is found
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { send, sendAll } from './crew.ts';
import { findMutations } from './mutations/find.ts';
import type { Finding } from './order.ts';
import { printFinding, printStory, Tally } from './report.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    trace: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    mutation: { type: 'string' },
    full: { type: 'boolean', default: false },
  },
});

/** The size that the figures of docs/simulation.md are about. */
const fullSize = { instances: 3, clients: 20, durationMs: 60_000 };
const size = values.full ? { size: fullSize } : {};

if (values.mutations) process.exitCode = await findMutations(Number(values.seeds ?? 200), values.mutation);
else if (values.seed !== undefined) process.exitCode = await one(Number(values.seed));
else process.exitCode = await many();

async function one(seed: number): Promise<number> {
  const found: Finding[] = [];
  const { trace: keepsStory, twice, mutation } = values;
  const planted = mutation === undefined ? {} : { mutation };
  const order = {
    from: seed,
    step: 1,
    count: 1,
    stopsAtFirst: true,
    shrinks: !keepsStory,
    keepsStory,
    twice,
    ...planted,
    ...size,
  };
  await send(order, finding => found.push(finding));
  for (const finding of found) {
    printStory(finding);
    printFinding(finding);
  }
  return found.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

async function many(): Promise<number> {
  const from = Number(values.from ?? Math.floor(Math.random() * 1_000_000_000));
  const seconds = values.seconds === undefined ? {} : { seconds: Number(values.seconds) };
  const count = Number(values.seeds ?? (values.seconds === undefined ? 100 : 1_000_000_000));
  console.log(`seeds from ${from} on`);
  const tally = new Tally();
  const { twice } = values;
  const order = { from, count, stopsAtFirst: false, shrinks: false, keepsStory: false, twice, ...seconds, ...size };
  await sendAll(order, Math.min(count, availableParallelism()), finding => {
    tally.add(finding);
    if (finding.violations.length > 0) printFinding(finding);
  });
  tally.print(values.coverage);
  return tally.failed === 0 ? 0 : 1;
}

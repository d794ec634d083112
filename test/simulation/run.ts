// `npm run simulate`: outages of a simulated world, each from a number.
//
//   npm run simulate -- --seeds 1000        runs so many seeds, which are other ones each time
//   npm run simulate -- --seconds 60        runs seeds for so long
//   npm run simulate -- --seed 4711         runs one seed; a failing one is shrunk, and its story printed
//   npm run simulate -- --seed 4711 --trace prints its story in any case
//   npm run simulate -- --corpus            runs the seeds that were kept
//   npm run simulate -- --seeds 1000 --keep keeps those that reach what no seed kept before reaches, in reached/corpus.json
//   npm run simulate -- --seconds 3600 --record  writes the figures of the run into docs/simulation.md
//   npm run simulate -- --mutations         plants each bug of the list, and counts the seeds until it is found
// `--full` runs each seed with 3 instances, 20 clients and 60 s of faults; `--calm` runs minutes in which clients pause for seconds.
// `--processes 1` leaves the other processors alone.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { send, sendAll } from './crew.ts';
import { findMutations } from './mutations/find.ts';
import type { Finding } from './order.ts';
import { Corpus, readCorpus } from './reached/corpus.ts';
import { record } from './record.ts';
import { printFinding, printStory, Tally } from './report.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    trace: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    corpus: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    mutation: { type: 'string' },
    processes: { type: 'string' },
    full: { type: 'boolean', default: false },
    calm: { type: 'boolean', default: false },
  },
});

/** The size that the figures of docs/simulation.md are about. */
const fullSize = { instances: 3, clients: 20, durationMs: 60_000 };
const size = { size: { ...(values.full && fullSize), ...(values.calm && { isCalm: true }) } };
/** Without them, a seed is another run. */
const sizeFlags = `${values.full ? ' --full' : ''}${values.calm ? ' --calm' : ''}`;

const processes = Number(values.processes ?? availableParallelism());

if (values.mutations)
  process.exitCode = await findMutations({
    mostSeeds: Number(values.seeds ?? 60),
    only: values.mutation,
    processes,
  });
else if (values.seed !== undefined) process.exitCode = await one(Number(values.seed));
else if (values.corpus) process.exitCode = await many({ seeds: readCorpus() });
else if (values.keep) process.exitCode = await keep();
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
    printFinding(finding, sizeFlags);
  }
  return found.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

/** Runs the seeds that were kept, then new ones. */
async function keep(): Promise<number> {
  const corpus = new Corpus();
  const take = ({ seed, reached }: Finding) => {
    const news = corpus.add(Number(seed), new Map(reached).keys());
    if (news.length > 0) console.log(`seed ${seed} is kept for: ${news.join(', ')}`);
  };
  const kept = readCorpus();
  if (kept.length > 0) await many({ seeds: kept, take });
  const code = await many({ take });
  corpus.save();
  return code;
}

interface Run {
  /** These instead of fresh ones. */
  readonly seeds?: readonly number[];
  readonly take?: (finding: Finding) => void;
}

async function many({ seeds, take }: Run = {}): Promise<number> {
  const from = Number(values.from ?? Math.floor(Math.random() * 1_000_000_000));
  const seconds = values.seconds === undefined ? {} : { seconds: Number(values.seconds) };
  const count = seeds?.length ?? Number(values.seeds ?? (values.seconds === undefined ? 100 : 1_000_000_000));
  console.log(
    seeds === undefined
      ? `seeds from ${from} on (again: npm run simulate -- --from ${from}${sizeFlags})`
      : `${count} seeds that were kept`,
  );
  const tally = new Tally();
  const { twice } = values;
  const options = { stopsAtFirst: false, shrinks: false, keepsStory: false, twice };
  const order = { from, count, ...options, ...seconds, ...size, ...(seeds && { seeds }) };
  await sendAll(order, Math.min(count, processes), finding => {
    tally.add(finding);
    take?.(finding);
    if (finding.violations.length > 0) printFinding(finding, sizeFlags);
  });
  tally.print(values.coverage);
  if (values.record) record(tally, from);
  return tally.failed === 0 ? 0 : 1;
}

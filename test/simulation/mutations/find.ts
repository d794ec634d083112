import { send } from '../crew.ts';
import type { Finding } from '../order.ts';
import { type Mutation, mutations } from './mutations.ts';

export interface Search {
  /** For each bug. */
  readonly mostSeeds: number;
  /** The name of the only bug to plant. */
  readonly only: string | undefined;
  readonly processes: number;
}

/** Plants each bug and runs seeds from 1 on until one fails. Prints a table; gives the exit code. */
export async function findMutations({ mostSeeds, only, processes }: Search): Promise<number> {
  const waiting = mutations.filter(({ name }) => only === undefined || name === only);
  let notFound = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const found = await findOne(next, mostSeeds);
      if (found === undefined) notFound += 1;
      console.log(
        `| ${next.name} | ${found === undefined ? `not within ${mostSeeds} seeds` : `seed ${found.seed}`} | ${found?.violations[0]?.property ?? ''} |`,
      );
    }
  };
  const planted = waiting.length;
  await Promise.all(Array.from({ length: processes }, work));
  console.log(`${planted - notFound} found, ${notFound} not`);
  return notFound === 0 ? 0 : 1;
}

export async function findOne({ name }: Mutation, mostSeeds: number): Promise<Finding | undefined> {
  let failing: Finding | undefined;
  const order = {
    from: 1,
    step: 1,
    count: mostSeeds,
    stopsAtFirst: true,
    shrinks: false,
    keepsStory: false,
    twice: false,
  };
  await send({ ...order, mutation: name }, finding => {
    if (finding.violations.length > 0) failing ??= finding;
  });
  return failing;
}

import { countRefused } from '../outages/account.js';
import { longForm, shortForm } from '../outages/measures.js';
import { type Outage, runOutage } from '../outages/outage.js';
import { Stage } from '../outages/stage.js';
import { seconds } from '../outages/table.js';
import type { Scenario } from './topology.js';

/** One of each kind, for all scenarios of a test file: to start a service takes longer than most outages. */
const stages = new Map<string, Stage>();

async function stageFor({ stage: options }: Outage): Promise<Stage> {
  const key = JSON.stringify(options ?? {});
  const stage = stages.get(key) ?? (await Stage.open(options));
  stages.set(key, stage);
  return stage;
}

export async function closeStages(): Promise<void> {
  for (const stage of stages.values()) await stage[Symbol.asyncDispose]();
  stages.clear();
}

/**
 * A scenario of each outage: HTTP requests to the orders example, judged as those of docs/outages.md. Those of the names in
 * `short` run in `npm test` too.
 */
export function outageScenarios(
  outages: readonly Outage[],
  { topology, needs, short }: Pick<Scenario, 'topology' | 'needs'> & { readonly short: readonly string[] },
): Scenario[] {
  return outages.map(outage => ({
    topology,
    what: `${outage.name}, under requests`,
    ...(needs && { needs }),
    isLong: !short.includes(outage.name),
    async run(form) {
      const stage = await stageFor(outage);
      const account = await runOutage(stage, outage, form === 'long' ? longForm : shortForm);
      const { requests, lost, duplicated: doubled, longestMs, firstSuccessMs, retries } = account;
      const notes = [
        `the longest request took ${seconds(longestMs)}`,
        ...(firstSuccessMs === undefined ? [] : [`first success after ${Math.round(firstSuccessMs)} ms`]),
        `${retries} retries`,
      ];
      return { requests, failed: countRefused(account), lost, doubled, notes: notes.join('; ') };
    },
  }));
}

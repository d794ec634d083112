import { fileURLToPath } from 'node:url';
import { afterAll, test } from 'vitest';
import { allOutages } from './all-outages.js';
import { Lanes } from './lanes.js';
import { longForm } from './measures.js';
import { runOutage } from './outage.js';
import { commitProof } from './proof.js';
import { type Failure, type Row, writeReport } from './report.js';
import { tableOf, writeInto } from './table.js';

const page = fileURLToPath(new URL('../../docs/outages.md', import.meta.url));
const rows: Row[] = [];
const failures: Failure[] = [];
const lanes = new Lanes(allOutages, longForm);

afterAll(async () => {
  await lanes[Symbol.asyncDispose]();
  const inOrder = allOutages.flatMap(({ name }) => rows.filter(row => row.name === name));
  console.log(tableOf(inOrder));
  if (rows.length === allOutages.length && commitProof() === 'auto') writeInto(page, 'outages', tableOf(inOrder));
  writeReport({ rows: inOrder, failures });
});

test.each(lanes.inTurn())(
  '$name: nothing is lost, done twice or reported wrongly',
  async outage => {
    try {
      const account = await runOutage(await lanes.stageFor(outage), outage, longForm);
      rows.push({ name: outage.name, account });
    } catch (error) {
      failures.push({ name: outage.name, message: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  },
  180_000,
);

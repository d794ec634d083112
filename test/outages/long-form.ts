import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, test } from 'vitest';
import { allOutages } from './all-outages.js';
import { longForm } from './measures.js';
import { longDeadlineMs, rehearse } from './outage.js';
import { Stage } from './stage.js';
import { type Row, tableOf, writeInto } from './table.js';

const page = fileURLToPath(new URL('../../docs/outages.md', import.meta.url));
const rows: Row[] = [];
let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  const inOrder = allOutages.flatMap(({ name }) => rows.filter(row => row.name === name));
  console.log(tableOf(inOrder));
  if (rows.length === allOutages.length) writeInto(page, tableOf(inOrder));
});

/** Those with the same deadline one after the other: they share a service. */
const deadline = ({ deadlineMs }: (typeof allOutages)[number]) => deadlineMs?.(longForm) ?? longDeadlineMs;
const inTurn = allOutages.toSorted((one, other) => deadline(other) - deadline(one));

test.each(inTurn)(
  '$name: nothing is lost, done twice or told wrongly',
  async outage => {
    rows.push({ name: outage.name, account: await rehearse(stage, outage, longForm) });
  },
  180_000,
);

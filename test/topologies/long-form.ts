import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { writeInto } from '../outages/table.js';
import { allScenarios } from './all-scenarios.js';
import { testScenarios } from './scenario-tests.js';
import { mergedTable, type Row, tableOf } from './table.js';

const page = fileURLToPath(new URL('../../docs/topologies.md', import.meta.url));
const rows: Row[] = [];
let begun = 0;

afterAll(() => {
  const table = tableOf(rows);
  console.log(table);
  // A row that was there before would stand for a scenario that has failed now.
  if (rows.length < begun) return console.log('Nothing is written: a scenario has failed');
  writeInto(page, 'topologies', mergedTable(readFileSync(page, 'utf8'), table, allScenarios));
});

testScenarios(allScenarios, {
  form: 'long',
  timeoutMs: 180_000,
  onBegun: () => {
    begun += 1;
  },
  onFound: (scenario, found) => void rows.push({ ...scenario, ...found }),
});

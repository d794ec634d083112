import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { writeInto } from '../outages/table.js';
import { allScenarios } from './all-scenarios.js';
import { testScenarios } from './scenario-tests.js';
import { type Row, tableOf } from './table.js';

const page = fileURLToPath(new URL('../../docs/topologies.md', import.meta.url));
const rows: Row[] = [];

afterAll(() => {
  const table = tableOf(rows);
  console.log(table);
  if (rows.length === allScenarios.length) writeInto(page, 'topologies', table);
});

testScenarios(allScenarios, {
  form: 'long',
  timeoutMs: 180_000,
  onFound: (scenario, found) => void rows.push({ ...scenario, ...found }),
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allScenarios } from './all-scenarios.js';
import { mergedTable, scenariosIn, tableOf } from './table.js';

test('docs/topologies.md has a row for every scenario, and no other', () => {
  const page = readFileSync(new URL('../../docs/topologies.md', import.meta.url), 'utf8');
  expect(scenariosIn(page)).toEqual(allScenarios.map(({ topology, what }) => `${topology} | ${what}`));
});

test('a run of some scenarios replaces their rows, keeps the others and drops those that are no more', () => {
  const row = (topology: string, requests: number) => {
    const counts = { requests, failed: 0, lost: 0, doubled: 0 };
    return { topology, what: 'moves', ...counts };
  };
  const before = tableOf([row('first', 1), row('second', 1), row('gone', 1)]);
  const page = `| another | table |\n<!-- topologies: begin -->\n${before}\n<!-- topologies: end -->\n`;
  const scenarios = ['first', 'new', 'second', 'never run'].map(topology => row(topology, 0));
  const merged = mergedTable(page, tableOf([row('second', 2), row('new', 2)]), scenarios);
  expect(merged).toBe(tableOf([row('first', 1), row('new', 2), row('second', 2)]));
});

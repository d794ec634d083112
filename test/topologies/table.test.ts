import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allScenarios } from './all-scenarios.js';

test('docs/topologies.md has a row for every scenario, and no other', () => {
  const page = readFileSync(new URL('../../docs/topologies.md', import.meta.url), 'utf8');
  const [, table = ''] = /<!-- topologies: begin -->([\s\S]*?)<!-- topologies: end -->/.exec(page) ?? [];
  const [, , ...rows] = table.split('\n').filter(line => line.startsWith('|'));
  const found = rows.map(row => row.split(' | ').slice(0, 2).join(' | ').slice(2));
  expect(found).toEqual(allScenarios.map(({ topology, what }) => `${topology} | ${what}`));
});

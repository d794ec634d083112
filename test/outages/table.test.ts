import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { allOutages } from './all-outages.js';
import { outagesIn, writeInto } from './table.js';

test('docs/outages.md describes every outage of the suite, and no other', () => {
  const page = fileURLToPath(new URL('../../docs/outages.md', import.meta.url));
  expect(outagesIn(page)).toEqual(allOutages.map(({ name }) => name));
});

test('a run replaces the table of the run before, and nothing else of the page', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-table-'));
  const page = join(directory, 'page.md');
  writeFileSync(page, 'before\n<!-- outages: begin -->\n<!-- outages: end -->\nafter\n');
  writeInto(page, 'outages', 'first');
  writeInto(page, 'outages', '| outage | lost |\n| --- | --- |\n| restart | 0 |');
  expect(outagesIn(page)).toEqual(['restart']);
  expect(readFileSync(page, 'utf8')).toMatch(/^before\n<!--.*-->\n\|[^<]*\|\n<!--.*-->\nafter\n$/);
  rmSync(directory, { recursive: true });
});

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { allOutages } from './all-outages.js';
import { outagesIn } from './table.js';

test('docs/outages.md tells of every outage of the suite, and of no other', () => {
  const page = fileURLToPath(new URL('../../docs/outages.md', import.meta.url));
  expect(outagesIn(page)).toEqual(allOutages.map(({ name }) => name));
});

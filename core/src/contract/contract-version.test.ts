import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { contractVersion } from './contract-version.js';

test('the version of the contract is that of the package', () => {
  const file = new URL('../../package.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: contractVersion });
});

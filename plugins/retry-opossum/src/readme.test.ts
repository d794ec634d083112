import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { changesBetween } from './changes.js';
import { policySchema } from './options.js';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

/** The cells of a row of the options table may name several options, and their defaults in the same order. */
function documentedOptions(): [option: string, fallback: string][] {
  const rows = readme.matchAll(/^\| (`[^|]+) \| ([^|]+) \| [^|]+ \|$/gm);
  return [...rows].flatMap(([, names = '', defaults = '']) => {
    const fallbacks = defaults.trim().replaceAll('`', '').split(', ');
    return names
      .trim()
      .split(', ')
      .map((name, index): [string, string] => [name.replaceAll('`', ''), fallbacks[index] ?? '']);
  });
}

test('the README lists every option of a policy with its default, and no other', () => {
  const options = changesBetween({}, policySchema.parse({})).map(({ path, to }): [string, string] => [
    path,
    String(to),
  ]);
  expect(documentedOptions().sort()).toEqual(options.sort());
});

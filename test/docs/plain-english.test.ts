import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Words of a style that readers have to read twice. Each has a plain replacement: reports, the caller, no plugin, again. */
const markers = /\b(tell|tells|told|whoever|nobody|anew)\b/gi;
const mostPer10000Words = 4;

const commentsAndTexts =
  /\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\\n]|\\.)*"/g;

/** The user `nobody` of the operating system, and names in examples, are not prose. */
const names = /`nobody`|\bnobody@|\btold@/g;

function proseOf(file: string): string {
  const text = readFileSync(`${root}/${file}`, 'utf8');
  return (file.endsWith('.md') ? text : (text.match(commentsAndTexts) ?? []).join('\n')).replaceAll(names, '');
}

const unitTests = '{core,plugins/*,examples/*}/src/**/*.{test,fixture,child}.ts';

test.each([
  ['the pages', ['*.md', 'docs/**/*.md', '{core,plugins/*,examples/*,deploy,test/*}/*.md'], []],
  ['messages and comments', ['{core,plugins/*,examples/*}/{src,bin,templates}/**/*.{ts,js}'], [unitTests]],
  ['the tests', [unitTests, 'test/**/*.{ts,mjs}'], []],
])('%s are in plain English', (_what, patterns, others) => {
  const files = globSync(patterns, { cwd: root, exclude: ['**/node_modules/**', '**/dist/**', ...others] });
  const texts = files.map(proseOf);
  const words = texts.reduce((sum, text) => sum + (text.match(/[a-z][\w'-]*/gi)?.length ?? 0), 0);
  const marked = files.flatMap((file, index) => (texts[index]?.match(markers) ?? []).map(word => `${file}: ${word}`));
  expect(words).toBeGreaterThan(10_000);
  const allowed = Math.floor((words / 10_000) * mostPer10000Words);
  expect(
    marked.length,
    `${marked.length} in ${words} words, ${allowed} allowed:\n${marked.join('\n')}`,
  ).toBeLessThanOrEqual(allowed);
});

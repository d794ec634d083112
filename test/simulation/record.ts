import { readFileSync, writeFileSync } from 'node:fs';
import type { Tally } from './report.ts';

const page = new URL('../../docs/simulation.md', import.meta.url);
const begin = '<!-- begin: npm run simulate -- --record -->';
const end = '<!-- end -->';

/** Writes the figures of a run into docs/simulation.md. */
export function record(tally: Tally, from: number): void {
  const text = readFileSync(page, 'utf8');
  const at = text.indexOf(begin);
  const until = text.indexOf(end, at);
  if (at === -1 || until === -1) throw new Error('docs/simulation.md has no place for the figures');
  const day = new Date().toISOString().slice(0, 10);
  const facts = [`${day}, seeds from ${from} on: ${tally.summary}.`, ...tally.violated].join('\n');
  writeFileSync(page, `${text.slice(0, at)}${begin}\n\n${facts}\n\n${text.slice(until)}`);
}

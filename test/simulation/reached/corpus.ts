import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('./corpus.json', import.meta.url);

/** The seeds that were kept: each reached a state, a transition, a fault or an answer that no seed before it had reached. */
export function readCorpus(): readonly number[] {
  return JSON.parse(readFileSync(file, 'utf8')).seeds;
}

/** Finds the seeds that reach something new. */
export class Corpus {
  readonly #reached = new Set<string>();
  readonly seeds: number[] = [];

  /** What of this is new; the seed is kept when anything is. */
  add(seed: number, reached: Iterable<string>): readonly string[] {
    const news = [...reached].filter(what => !this.#reached.has(what));
    for (const what of news) this.#reached.add(what);
    if (news.length > 0) this.seeds.push(seed);
    return news;
  }

  save(): void {
    writeFileSync(file, `${JSON.stringify({ seeds: this.seeds }, undefined, 2)}\n`);
  }
}

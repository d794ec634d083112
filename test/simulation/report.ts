import type { Finding } from './order.ts';
import { unreached } from './reached/names.ts';
import { inWords, seconds } from './scenario/in-words.ts';

export function printStory({ story = [], scenario }: Finding): void {
  if (scenario !== undefined) for (const line of inWords(scenario)) console.log(line);
  for (const { atMs, text } of story) console.log(`${seconds(atMs)}  ${text}`);
}

/** `flags` are those that a replay of the seed needs. */
export function printFinding({ seed, violations, hash, requests }: Finding, flags = ''): void {
  if (violations.length === 0) console.log(`seed ${seed}: all properties hold (${requests} requests, run ${hash})`);
  else console.log(`seed ${seed} FAILS (replay: npm run simulate -- --seed ${seed}${flags})`);
  for (const { property, text, atMs } of violations.slice(0, 5))
    console.log(`  ${(atMs / 1_000).toFixed(3)} s  ${property}: ${text.slice(0, 1_000)}`);
}

/** What all seeds of a run have in common. */
export class Tally {
  failed = 0;
  #seeds = 0;
  #requests = 0;
  #simulatedMs = 0;
  #tookMs = 0;
  readonly #reached = new Map<string, number>();
  readonly #violated: string[] = [];
  readonly #startedAt = performance.now();

  add({ seed, violations, requests, simulatedMs, tookMs, reached }: Finding): void {
    this.#seeds += 1;
    const [first] = violations;
    if (first !== undefined) {
      this.failed += 1;
      this.#violated.push(`- seed ${seed}: ${first.property}`);
    }
    this.#requests += requests;
    this.#simulatedMs += simulatedMs;
    this.#tookMs += tookMs;
    for (const [what, times] of reached) this.#reached.set(what, (this.#reached.get(what) ?? 0) + times);
  }

  /** A line for each seed that failed. */
  get violated(): readonly string[] {
    return this.#violated;
  }

  get summary(): string {
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const hours = (this.#simulatedMs / 3_600_000).toFixed(1);
    const perHour = Math.round((this.#seeds / seconds) * 3_600);
    const perSecond = (this.#simulatedMs / Math.max(1, this.#tookMs)).toFixed(0);
    const perMinute = (this.#seeds / (Math.max(1, this.#tookMs) / 60_000)).toFixed(0);
    return [
      `${this.#seeds} seeds, ${this.failed} failed`,
      `${this.#requests} requests in ${hours} simulated hours`,
      `${seconds.toFixed(0)} s, ${perHour} seeds an hour`,
      `${perSecond} simulated seconds in a second of processor time, ${perMinute} seeds in a minute of it`,
      `${this.#reached.size} different states, transitions, faults and answers reached`,
    ].join('; ');
  }

  print(coverage: boolean): void {
    if (coverage) this.#printCoverage();
    console.log(this.summary);
  }

  #printCoverage(): void {
    for (const [what, times] of [...this.#reached].toSorted(([one], [other]) => one.localeCompare(other)))
      console.log(`  ${String(times).padStart(8)}  ${what}`);
    const missing = unreached(this.#reached.keys());
    console.log(missing.length === 0 ? 'every state was reached' : `not reached: ${missing.join(', ')}`);
  }
}

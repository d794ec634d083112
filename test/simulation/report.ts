import type { Finding } from './order.ts';

export function printStory({ story = [], scenario }: Finding): void {
  if (scenario !== undefined) {
    const { faults, clients, ...rest } = scenario;
    console.log(`The scenario: ${JSON.stringify(rest)}`);
    console.log(`${clients.length} clients; faults: ${faults.length === 0 ? 'none' : ''}`);
    for (const fault of faults) console.log(`  ${JSON.stringify(fault)}`);
    console.log('');
  }
  for (const { atMs, text } of story) console.log(`${(atMs / 1_000).toFixed(3).padStart(9)} s  ${text}`);
}

export function printFinding({ seed, violations, hash, requests }: Finding): void {
  if (violations.length === 0) console.log(`seed ${seed}: all properties hold (${requests} requests, run ${hash})`);
  else console.log(`seed ${seed} FAILS (replay: npm run simulate -- --seed ${seed})`);
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
  readonly #startedAt = performance.now();

  add({ violations, requests, simulatedMs, tookMs, reached }: Finding): void {
    this.#seeds += 1;
    if (violations.length > 0) this.failed += 1;
    this.#requests += requests;
    this.#simulatedMs += simulatedMs;
    this.#tookMs += tookMs;
    for (const [what, times] of reached) this.#reached.set(what, (this.#reached.get(what) ?? 0) + times);
  }

  print(coverage: boolean): void {
    if (coverage)
      for (const [what, times] of [...this.#reached].toSorted(([one], [other]) => one.localeCompare(other)))
        console.log(`  ${String(times).padStart(8)}  ${what}`);
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const perMinute = Math.round((this.#seeds / seconds) * 60);
    const perSecond = Math.round(this.#simulatedMs / Math.max(1, this.#tookMs));
    console.log(
      `${this.#seeds} seeds, ${this.failed} failed; ${this.#requests} requests; ${(this.#simulatedMs / 3_600_000).toFixed(1)} simulated hours in ${seconds.toFixed(0)} s: ${perMinute} seeds a minute, ${perSecond} simulated seconds and ${(this.#seeds / (this.#tookMs / 60_000)).toFixed(0)} seeds in a second and a minute of processor time; ${this.#reached.size} states and transitions reached`,
    );
  }
}

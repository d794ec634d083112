import type { Attempt, Clock, ExecuteOptions, RetryPolicy } from '@keelson/core';
import { defaultVerdict } from '@keelson/core/retry';
import { InjectedFault } from './injected-fault.js';
import type { FaultRule } from './options.js';
import { seededRandom } from './seeded-random.js';

/** Called for each fault, before it takes effect; must not throw. */
export type InjectionListener = (rule: FaultRule, options: ExecuteOptions) => void;

interface Dice {
  readonly rule: FaultRule;
  readonly random: () => number;
}

/** Injects faults into the attempts of a retry policy by its rules, while it is armed. */
export class FaultInjector {
  readonly #clock: Clock;
  readonly #dice: readonly Dice[];
  #listener: InjectionListener | undefined;

  constructor(rules: readonly FaultRule[], clock: Clock) {
    this.#clock = clock;
    this.#dice = rules.map(rule => ({ rule, random: seededRandom(rule.seed) }));
  }

  arm(listener: InjectionListener): void {
    this.#listener = listener;
  }

  disarm(): void {
    this.#listener = undefined;
  }

  /** `policy`, with faults in the attempts it makes: it retries, waits and gives up as with real faults. */
  decorate(policy: RetryPolicy): RetryPolicy {
    return {
      execute: (work, options) => {
        const dice = this.#diceFor(options);
        if (dice.length === 0) return policy.execute(work, options);
        let injected: InjectedFault | undefined;
        return policy.execute(
          async attempt => {
            injected = await this.#strike(dice, attempt, options);
            if (injected !== undefined) throw injected;
            return work(attempt);
          },
          { ...options, classify: error => (error === injected && injected?.verdict) || judge(error, options) },
        );
      },
      endWaits: (target, reason) => policy.endWaits?.(target, reason),
      declareTarget: target => policy.declareTarget?.(target),
    };
  }

  #diceFor(options: ExecuteOptions): readonly Dice[] {
    return this.#listener === undefined ? [] : this.#dice.filter(({ rule }) => concerns(rule, options));
  }

  /** Every rule draws for every attempt, so that the struck attempts depend on its seed alone. */
  async #strike(
    dice: readonly Dice[],
    { signal }: Attempt,
    options: ExecuteOptions,
  ): Promise<InjectedFault | undefined> {
    const striking = dice.filter(({ rule, random }) => random() < rule.probability);
    for (const { rule } of striking) {
      this.#listener?.(rule, options);
      if (rule.latencyMs > 0) await this.#clock.sleep(rule.latencyMs, signal);
      if (rule.kind !== 'latency') return new InjectedFault(rule.kind, targetOf(options), rule.code);
    }
    return undefined;
  }
}

function concerns({ target }: FaultRule, options: ExecuteOptions): boolean {
  return [options.target, options.name, headOf(options.name)].includes(target);
}

export function targetOf({ target, name }: ExecuteOptions): string {
  return target ?? headOf(name);
}

function headOf(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? name : name.slice(0, dot);
}

function judge(error: unknown, { classify, idempotent }: ExecuteOptions) {
  return classify === undefined ? defaultVerdict(error, idempotent) : classify(error);
}

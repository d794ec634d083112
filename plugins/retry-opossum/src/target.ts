import type { Clock } from '@keelson/core';
import { ConflictLane, type RetryErrorCode } from '@keelson/core/retry';
import { BreakerQueue } from './breaker-queue.js';
import { Bulkhead } from './bulkhead.js';
import type { Change } from './changes.js';
import type { BreakerMove, BreakerReport, CircuitBreaker, Outcome, Permit } from './circuit-breaker.js';
import { OpossumBreaker } from './opossum-breaker.js';
import type { PolicyOptions } from './options.js';
import { RetryBudget } from './retry-budget.js';
import { WaitingRoom } from './waiting-room.js';

/** Receives the events of a target, for logs and metrics. Its errors are ignored. */
export interface RetryObserver {
  breakerMoved?(target: string, move: BreakerMove): void;
  /** A further attempt has been paid for from the budget; `cause` is the failure before it. */
  retried?(target: string, cause: unknown): void;
  /** A call that had more than one attempt has ended. */
  ended?(target: string, outcome: 'success' | 'failure'): void;
  /** An attempt has ended in a conflict; a further one costs no budget. */
  conflicted?(target: string): void;
  gaveUp?(target: string, code: RetryErrorCode): void;
  /** The options were replaced, and this is what differs. */
  reconfigured?(changes: readonly Change[]): void;
}

export interface TargetCounters {
  /** Calls that made at least one attempt. */
  calls: number;
  attempts: number;
  /** Attempts paid for from the budget. */
  retries: number;
  /** Attempts that ended in a conflict; their retries cost no budget. */
  conflicts: number;
  /** Calls that waited for the target to come back. */
  waits: number;
  /** Calls that ended in an error of the policy's own. */
  giveUps: number;
}

/** What is known of one target; safe to show but for `breaker.lastCause`, which is an error as it was thrown. */
export interface TargetReport {
  readonly target: string;
  readonly policy: PolicyOptions;
  readonly breaker: BreakerReport;
  readonly counters: Readonly<TargetCounters>;
  readonly budgetLeft: number;
  readonly waiting: number;
  readonly running: number | undefined;
  readonly queued: number;
}

export interface Environment {
  readonly clock: Clock;
  readonly random: () => number;
}

/** What all calls to one target share. */
export class Target {
  readonly name: string;
  readonly environment: Environment;
  readonly breaker: CircuitBreaker & { configure(options: PolicyOptions['breaker']): void };
  readonly budget: RetryBudget;
  readonly queue: BreakerQueue;
  readonly bulkhead: Bulkhead;
  /** Callers between two attempts; all of their waits share one timer. */
  readonly pauses: WaitingRoom<never>;
  /** Callers that met a conflict. */
  readonly conflictLane: ConflictLane;
  readonly observer: RetryObserver;
  readonly counters: TargetCounters = { calls: 0, attempts: 0, retries: 0, conflicts: 0, waits: 0, giveUps: 0 };
  #policy: PolicyOptions;
  #stopped = false;
  #answers = 0;

  constructor(name: string, policy: PolicyOptions, environment: Environment, observer: RetryObserver) {
    const { clock, random } = environment;
    this.name = name;
    this.#policy = policy;
    this.environment = environment;
    this.observer = observer;
    const onMove = (move: BreakerMove) => observer.breakerMoved?.(name, move);
    this.breaker = new OpossumBreaker({ options: policy.breaker, clock, random, onMove });
    this.budget = new RetryBudget(policy.budget, clock.now());
    this.queue = new BreakerQueue(this.breaker, policy.waiting, clock);
    this.bulkhead = new Bulkhead(policy.bulkhead, clock);
    this.conflictLane = new ConflictLane(clock);
    this.pauses = new WaitingRoom(clock);
  }

  /** What calls that begin now go by. */
  get policy(): PolicyOptions {
    return this.#policy;
  }

  /** Calls that have begun keep the deadline, timeouts, attempts and waits they began with. */
  configure(policy: PolicyOptions): void {
    this.#policy = policy;
    this.breaker.configure(policy.breaker);
    this.budget.configure(policy.budget);
    this.queue.configure(policy.waiting);
    this.bulkhead.configure(policy.bulkhead);
  }

  /** How often it has proved that it is well; who sees the same number twice has met silence in between. */
  get answers(): number {
    return this.#answers;
  }

  settle(permit: Permit, outcome: Outcome): void {
    if (outcome.availability === 'up') this.#answers++;
    this.breaker.settle(permit, outcome);
    if (this.queue.waiting > 0) this.queue.letGo();
  }

  /** It has answered an attempt that still runs. */
  answer(permit: Permit): void {
    if (permit.probe) this.settle(permit, { availability: 'up', durationMs: 0 });
    else this.#answers++;
  }

  hold(as: 'open' | 'closed' | undefined): void {
    this.breaker.hold(as);
    if (as === 'open') this.queue.rejectAll(() => heldOpen);
    else this.queue.letGo();
  }

  /** No further attempt is made. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Rejects every waiting call with `reason`. */
  endWaits(reason: unknown): void {
    for (const room of [this.queue, this.bulkhead, this.pauses]) room.rejectAll(() => reason);
    this.conflictLane.endWaits(reason);
  }

  stop(): void {
    this.#stopped = true;
    this.endWaits(stopped);
    this.conflictLane.close(stopped);
    this.breaker.shutdown();
  }

  describe(): TargetReport {
    const limited = this.#policy.bulkhead.maxConcurrentCalls > 0;
    return {
      target: this.name,
      policy: this.#policy,
      breaker: this.breaker.describe(),
      counters: { ...this.counters },
      budgetLeft: this.budget.left(this.environment.clock.now()),
      waiting: this.queue.waiting,
      running: limited ? this.bulkhead.running : undefined,
      queued: this.bulkhead.queued,
    };
  }
}

/** Thrown to those who wait when the policy stops. */
export const stopped = Symbol('stopped');
/** Thrown to those who wait when the breaker is held open by hand. */
export const heldOpen = Symbol('held open');

import type { Pace } from '../network/network.ts';
import type { Isolation } from '../postgres/store.ts';
import type { RetryOptions, ServiceOptions } from '../service/instance.ts';

/** What goes wrong, and when, in ms from the beginning. `instance` counts from 0. */
export type Fault = { readonly atMs: number } & (
  | { readonly is: 'crash'; readonly losesUnflushed: boolean; readonly downMs: number; readonly recoveryMs: number }
  | { readonly is: 'power off'; readonly downMs: number; readonly recoveryMs: number }
  | { readonly is: 'restart'; readonly downMs: number; readonly recoveryMs: number }
  | { readonly is: 'failover'; readonly promotedAfterMs: number; readonly isPowerOff: boolean }
  | { readonly is: 'hold'; readonly instance: number; readonly forMs: number }
  | { readonly is: 'swallow'; readonly instance: number; readonly forMs: number }
  | { readonly is: 'reset'; readonly instance: number }
  | { readonly is: 'cut'; readonly connections: number; readonly side: 'up' | 'down'; readonly afterBytes: number }
  | { readonly is: 'forget'; readonly connections: number }
  | {
      readonly is: 'at commit';
      readonly what:
        | 'reset before'
        | 'reset after'
        | 'reset and done later'
        /** The network fails: the connection is reset, and all others of the service are silent from then on. */
        | 'reset and silence'
        | 'done later'
        | 'forget after'
        | 'crash before'
        | 'crash after'
        | 'crash and lose'
        | 'fail over after';
      readonly count: number;
    }
  /** The service that waits for an answer stands still meanwhile, so that others use the server before it can ask. */
  | { readonly is: 'freeze at commit'; readonly count: number; readonly forMs: number }
  | { readonly is: 'slow'; readonly factor: number; readonly forMs: number }
  | { readonly is: 'full'; readonly forMs: number }
  | { readonly is: 'freeze'; readonly instance: number; readonly forMs: number }
  | { readonly is: 'kill'; readonly instance: number }
  | { readonly is: 'end backends'; readonly count: number }
  | { readonly is: 'lag'; readonly forMs: number }
  | { readonly is: 'read-only'; readonly forMs: number }
  | { readonly is: 'renew'; readonly instance: number }
);

/** What a run is mostly about. */
export const themes = [
  'anything',
  'anything',
  'anything',
  'commits',
  'lost answers',
  'ids again',
  'silence',
  'no faults',
] as const;
export type Theme = (typeof themes)[number];

export const workloads = [
  'insert',
  'orm',
  'append',
  'rewrite',
  'read',
  'by hand',
  'savepoint',
  'sleep',
  'pause',
  'collide',
  'write read-only',
  'fail',
  'read own write',
  'bulk',
  'bulk fails',
  'batch',
  'stream',
  'burst',
  'swallow',
  'parts',
  'end by hand',
] as const;
export type Workload = (typeof workloads)[number];

/** One who sends requests to the instances. */
export interface ClientPlan {
  readonly number: number;
  readonly thinkMs: number;
  readonly workloads: readonly Workload[];
  readonly isolations: readonly (Isolation | undefined)[];
  /** How long a request may take. */
  readonly timeoutMs: number;
  readonly hangsUp: number;
  readonly asksAgain: number;
  readonly lists: number;
  /** How many requests it sends at once at most. */
  readonly burst: number;
}

/** All that decides a run: the same scenario is the same run. */
export interface Scenario {
  readonly seed: string;
  readonly theme: Theme;
  readonly durationMs: number;
  readonly instances: number;
  readonly pace: Pace;
  readonly server: {
    readonly maxConnections: number;
    readonly lazyFlushMs: number;
    readonly statementMs: number;
    readonly replicationMs: number;
  };
  readonly standby: 'none' | 'one address' | 'two hosts' | 'replica';
  /** The instances listen, and units send messages. */
  readonly listens: boolean;
  /** When the instances begin to migrate, in ms from the beginning; undefined: never. */
  readonly migratesAtMs: number | undefined;
  readonly service: ServiceOptions;
  readonly retry: RetryOptions;
  readonly clients: readonly ClientPlan[];
  readonly faults: readonly Fault[];
}

/** What the page asks for and gets, as JSON. Types alone: the page and the server share this file. No answer has a secret or a user's value. */

export type HealthWord = 'pass' | 'warn' | 'fail';
export type Phase = 'starting' | 'ready' | 'stopping' | 'stopped';

/** `GET /console/api/instances`. */
export interface InstanceList {
  readonly instances: readonly InstanceEntry[];
}

export interface InstanceEntry {
  /** For `?instance=`: `self`, `pid-4711`, `url-0`. */
  readonly id: string;
  readonly name: string;
  readonly service?: string;
  readonly environment?: string;
  readonly pid?: number;
  readonly phase?: Phase;
  readonly readiness?: HealthWord;
  /** Why it cannot be shown: it has no console, or did not answer. */
  readonly problem?: string;
}

/** `GET /console/api/live?after=<number of the last sample>`: the samples after it. */
export interface Live {
  readonly service: string;
  readonly environment?: string;
  readonly pid: number;
  readonly phase: Phase;
  readonly startedAt: number;
  readonly readiness: { readonly status: HealthWord; readonly checks: readonly Check[] };
  readonly samples: readonly Sample[];
  readonly pools: readonly Pool[];
  readonly breakers: readonly Breaker[];
  readonly levels: readonly Levels[];
  readonly operations: readonly OperationOf[];
  /** Grows with each change of the history: then the page asks for it again. */
  readonly historyRevision: number;
  /** Grows with each request that was kept. */
  readonly lastRequest: number;
  readonly openOutage?: Outage;
  readonly counts: boolean;
}

export interface Check {
  readonly name: string;
  readonly status: HealthWord;
  readonly critical: boolean;
  readonly output?: string;
  readonly durationMs?: number;
}

/** One second. Counters are sums since the start. */
export interface Sample {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly answers: number;
  /** Answers of 500 and above, and answers that were cut. */
  readonly failed: number;
  /** Attempts of sessions after the first. */
  readonly repeated: number;
  /** How many requests took up to each of `durationBoundsMs`, not cumulative; the last one is beyond all. */
  readonly durations: readonly number[];
  /** The longest delay of the event loop since the last sample. */
  readonly loopLateMs: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly cpuMs: number;
  /** By the key of the plugin: busy, waiting, open. */
  readonly pools: Readonly<Record<string, readonly [busy: number, waiting: number, total: number]>>;
  /** By target: 0 closed, 1 half-open, 2 open or held open. */
  readonly breakers: Readonly<Record<string, 0 | 1 | 2>>;
}

export interface Pool {
  /** The key of the plugin: `database`. */
  readonly plugin: string;
  readonly state: string;
  readonly since?: string;
  readonly cause?: string;
  readonly address?: string;
  readonly total: number;
  readonly busy: number;
  readonly waiting: number;
  readonly max: number;
}

export interface Breaker {
  /** The key of the plugin with the breaker, for its operations. */
  readonly plugin: string;
  readonly target: string;
  readonly state: string;
  readonly sinceMs?: number;
  readonly breakLeftMs?: number;
  readonly lastCause?: string;
  readonly waiting?: number;
}

export interface Levels {
  readonly plugin: string;
  readonly level: string;
  readonly temporary: readonly { readonly plugin?: string; readonly level: string; readonly until: string }[];
}

export interface OperationOf {
  readonly plugin: string;
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly choices?: readonly string[];
  }[];
}

/** `GET /console/api/history`. */
export interface History {
  readonly revision: number;
  readonly health: readonly HealthChange[];
  readonly outages: readonly Outage[];
  readonly events: readonly EventNote[];
}

export interface HealthChange {
  readonly at: number;
  readonly check: string;
  readonly critical: boolean;
  readonly from: HealthWord | 'new';
  readonly to: HealthWord | 'gone';
  readonly output?: string;
}

export interface EventNote {
  readonly at: number;
  readonly level: 'info' | 'warn' | 'error';
  /** `database.state`, `retry.breaker`. */
  readonly category: string;
  readonly message: string;
  readonly kind?: string;
}

export interface Outage {
  readonly id: number;
  readonly startedAt: number;
  /** Left out while it lasts. */
  readonly endedAt?: number;
  readonly troubles: readonly Trouble[];
  /** What callers got while it lasted, the most frequent first. */
  readonly answers: readonly CallerAnswer[];
  /** Answers beyond those, of an outage with more than 40 different ones. */
  readonly others: number;
  /** Sessions that were run again after a lost connection; their callers saw no failure of the attempt. */
  readonly repeated: number;
}

export interface Trouble {
  /** `the database was lost`, `the breaker of "database" is open`. */
  readonly what: string;
  readonly kind?: string;
  readonly startedAt: number;
  readonly endedAt?: number;
}

export interface CallerAnswer {
  /** Left out when the client had left, or the answer was cut. */
  readonly status?: number;
  /** The code of the problem document: `CIRCUIT_OPEN`. */
  readonly code?: string;
  readonly count: number;
}

/** `GET /console/api/requests?after=<id>`: the requests that were kept after it. */
export interface Requests {
  readonly requests: readonly KeptRequest[];
  /** Of those that are still in memory; the page drops the others. */
  readonly kept: readonly number[];
}

export interface KeptRequest {
  readonly id: number;
  readonly at: number;
  /** `POST /orders`: the template of the route. */
  readonly name: string;
  readonly durationMs: number;
  readonly status?: number;
  readonly code?: string;
  readonly outcome: Outcome;
  /** Attempts of its sessions after the first. */
  readonly repeated: number;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly spans: readonly KeptSpan[];
  /** Spans that were left out. */
  readonly more: number;
}

export type Outcome = 'ok' | 'error' | 'unset';

export interface KeptSpan {
  /** The place of its parent in the list; left out for the request itself. */
  readonly parent?: number;
  /** `db.session`, `db.attempt`, `db.query`, `http.client`. */
  readonly operation: string;
  readonly name: string;
  /** Since the start of the request. */
  readonly startMs: number;
  /** Left out while it runs. */
  readonly durationMs?: number;
  readonly outcome: Outcome;
  readonly kind?: string;
  /** `2 rows`, `attempt 2`. */
  readonly detail?: string;
}

/** `GET /console/api/plan`. */
export interface PlanAnswer {
  readonly plan: {
    readonly service: string;
    readonly environment?: string | undefined;
    readonly files: readonly string[];
    readonly groups: readonly PlanGroup[];
  };
  readonly start?: StartAnswer;
  readonly coreVersion: string;
  readonly nodeVersion: string;
  readonly awaitingRestart: readonly { readonly path: string; readonly from?: string; readonly to?: string }[];
}

export interface PlanGroup {
  readonly key: string;
  readonly use?: string | undefined;
  readonly filledBy?: string | undefined;
  readonly decoratedBy: readonly string[];
  readonly decorates: readonly string[];
  readonly values: readonly PlanValue[];
}

export interface PlanValue {
  readonly path: string;
  readonly value?: unknown;
  readonly origin: string;
  readonly written?: string;
  readonly over: readonly { readonly value: unknown; readonly origin: string }[];
  readonly description?: string;
  readonly reloadable: boolean;
}

export interface StartAnswer {
  readonly outcome: string;
  readonly durationMs: number;
  readonly planMs: number;
  readonly plugins: readonly {
    readonly key: string;
    readonly use: string;
    readonly level: number;
    readonly outcome: string;
    readonly importMs: number;
    readonly registerMs: number;
    readonly startMs: number;
    readonly readyMs: number;
    readonly blockedMs: number;
    readonly error?: { readonly code?: string | number; readonly message: string };
  }[];
}

/** `POST /console/api/operations`. */
export interface OperationCall {
  readonly plugin: string;
  readonly operation: string;
  readonly named: Readonly<Record<string, string>>;
}

export interface OperationDone {
  readonly done: string;
}

/** `POST /console/api/login`. */
export interface Login {
  readonly token: string;
}

/** The answer to every request that failed. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Upper bounds of `Sample.durations`, in milliseconds; each is 1.5 times the one before. */
export const durationBoundsMs: readonly number[] = Array.from({ length: 28 }, (_, index) => 0.5 * 1.5 ** index);

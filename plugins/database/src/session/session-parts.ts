import type { Clock, Logger, RetryPolicy, Telemetry } from '@keelson/core';
import type { DatabaseDriver } from '../driver/driver.js';
import type { DatabaseMetrics } from '../metrics.js';
import type { ClearWatch } from '../orm/clear-watch.js';
import type { SessionEntityManager } from '../orm/session-entity-manager.js';
import type { CommitProof } from '../proof/commit-proof.js';
import type { ShapeOf } from '../statements/statement-shape.js';
import type { Identity } from '../transaction/identity.js';
import type { StatementObserver } from '../transaction/statement-observer.js';
import type { CurrentSession } from './current-session.js';
import type { OpenSessionOptions } from './database-session.js';
import type { OpenSessions } from './open-sessions.js';
import type { UnitSession } from './unit-session.js';

/** Whose health a session depends on. */
export interface SessionTarget {
  /** For the retry policy. */
  readonly name: string;
  /** Several servers may answer it: the replicas, or else the primary. */
  readonly viaReplicas: boolean;
}

/** What the sessions of one service have in common. */
export interface SessionParts {
  readonly driver: DatabaseDriver;
  readonly proof: CommitProof;
  /** Undefined where nothing is measured. */
  readonly metrics: DatabaseMetrics | undefined;
  readonly telemetry: Telemetry;
  readonly tracesStatements: boolean;
  readonly shapeOf: ShapeOf;
  readonly fork: (identity: Identity | undefined) => SessionEntityManager;
  readonly clears: ClearWatch;
  /** Whether a subscriber takes part in the begin of transactions, so that it has to be waited for. */
  readonly isBeginObserved: () => boolean;
  /** Whether any subscriber listens, and may want to take part in the end of transactions too. */
  readonly isObserved: () => boolean;
  readonly current: CurrentSession<UnitSession>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: StatementObserver;
  readonly defaultTimeoutMs: number;
  readonly cancelGraceMs: number;
  readonly retry: RetryPolicy;
}

export interface SessionOpenerParts extends SessionParts {
  readonly open: OpenSessions;
  /** Aborts when the driver has closed: it cannot be asked any more. */
  readonly closed: AbortSignal;
  readonly targetOf: (options: OpenSessionOptions) => SessionTarget;
}

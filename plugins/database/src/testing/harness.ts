import type { DatabaseService } from '../database-service.js';
import type { DatabaseCapability } from '../driver/engine.js';
import type { DatabaseModel } from '../model.js';

/** One driver under test, and what is needed to look at it. */
export interface DatabaseHarness {
  /** Connected, made with `conformanceModel` and migrated. May be the same for all cases: each empties the tables. */
  readonly database: DatabaseService;
  /**
   * Services on one further database, which is empty; neither connected nor migrated. More than one is asked for only
   * with capability `multi-connection`. All of them need a RetryPolicy that retries.
   */
  open(options: {
    readonly count: number;
    readonly models: readonly DatabaseModel[];
  }): Promise<readonly DatabaseService[]>;
  close?(): void | Promise<void>;
}

/** What a case works with. */
export interface Subject {
  readonly database: DatabaseService;
  /** Services as those of the harness, disconnected after the case. */
  open(count?: number, models?: readonly DatabaseModel[]): Promise<readonly [DatabaseService, ...DatabaseService[]]>;
}

/** One promise that every driver keeps. */
export interface Requirement {
  readonly name: string;
  /** Only a driver with these capabilities can keep it. */
  readonly requires?: DatabaseCapability | readonly DatabaseCapability[];
  /** What a driver without this capability must do instead. */
  readonly lacks?: DatabaseCapability;
  check(subject: Subject): Promise<void>;
}

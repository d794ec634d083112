import type { Problem } from '../config/problem.js';
import type { ReloadChange } from '../life/reload.js';
import type { ServiceStatus } from '../life/status.js';
import type { ErrorSummary } from '../secrets/summarize-error.js';

/** What a running service is asked, by method and path, and what it answers. Each may throw what it cannot do. */
export type ControlRoutes = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

/** `GET /status`. */
export interface InstanceStatus extends ServiceStatus {
  readonly pid: number;
  readonly uptimeMs: number;
  /** The configuration it was started with. */
  readonly config: string;
  /** The version of `@keelson/core` in that process. The process that asks may have another version. */
  readonly coreVersion: string;
  readonly nodeVersion: string;
}

/** `POST /reload`. */
export interface ReloadAnswer {
  readonly changes: readonly (Omit<ReloadChange, 'origin' | 'error'> & { readonly error?: ErrorSummary })[];
}

/** `POST /operations`. */
export interface OperationAnswer {
  /** A sentence. */
  readonly done: string;
}

/** The answer to what could not be done. */
export interface ControlFailure {
  readonly error: {
    readonly code: string | number;
    readonly message: string;
    readonly hint?: string;
    /** Of a configuration that does not hold. */
    readonly problems?: readonly Problem[];
  };
}

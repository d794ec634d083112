import { type ServiceToken, serviceToken } from '../token.js';

export type LifecyclePhase = 'starting' | 'ready' | 'stopping' | 'stopped';

/** Where the service is in its life. The kernel moves it; everyone else looks. */
export interface Lifecycle {
  readonly phase: LifecyclePhase;
  /** Aborts when the stop begins, also during a start. */
  readonly stopping: AbortSignal;
  /** Told of each move, in order. Disposing of the result ends it. */
  onPhase(listener: (phase: LifecyclePhase) => void): Disposable;
}

export const Lifecycle: ServiceToken<Lifecycle> = serviceToken('@keelson/core/Lifecycle');

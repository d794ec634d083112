import { isKeelsonError } from '../contract/keelson-error.js';
import type { InstrumentedPlugin, RegisteredPlugin, StartedPlugin } from '../contract/plugin.js';
import type { StartOutcome, StartStep } from './report.js';
import type { TakenResources } from './taken-resources.js';

interface Imported {
  readonly plugin: InstrumentedPlugin;
}

/** A start has begun: its resources must be released. */
interface Begun extends Imported {
  readonly taken: TakenResources;
}

interface Running extends Begun {
  readonly started: StartedPlugin;
}

/** The state of a plugin. It holds resources from `starting` on, and answers from `started` on. */
type Alive =
  | { readonly at: 'planned' }
  | ({ readonly at: 'imported' } & Imported)
  | ({ readonly at: 'registered'; readonly registered: RegisteredPlugin } & Imported)
  | ({ readonly at: 'starting' } & Begun)
  | ({ readonly at: 'started' } & Running)
  /** Work may have been let in. */
  | ({ readonly at: 'ready' } & Running)
  /** Its stop has begun. */
  | ({ readonly at: 'stopped' } & Imported);

export type PluginState =
  | Alive
  /** `was` is how far it had come. */
  | { readonly at: 'failed'; readonly step: StartStep; readonly error: unknown; readonly was: Alive };

export type PluginMove =
  | { readonly to: 'imported'; readonly plugin: InstrumentedPlugin }
  | { readonly to: 'registered'; readonly registered: RegisteredPlugin }
  | { readonly to: 'starting'; readonly taken: TakenResources }
  | { readonly to: 'started'; readonly started: StartedPlugin }
  | { readonly to: 'ready' }
  | { readonly to: 'stopped' }
  | { readonly to: 'failed'; readonly step: StartStep; readonly error: unknown }
  /** A failure is forgotten, and the plugin can be tried again from `register` on. One that was not tried stays as it is. */
  | { readonly to: 'renewed' };

/** @throws Error for a move that is not possible in that state: then the kernel is wrong. */
export function movePlugin(state: PluginState, move: PluginMove): PluginState {
  switch (move.to) {
    case 'imported':
      if (state.at === 'planned') return { at: 'imported', plugin: move.plugin };
      break;
    case 'registered':
      if (state.at === 'imported') return { at: 'registered', plugin: state.plugin, registered: move.registered };
      break;
    case 'starting':
      if (state.at === 'registered') return { at: 'starting', plugin: state.plugin, taken: move.taken };
      break;
    case 'started':
      if (state.at === 'starting') return { ...state, at: 'started', started: move.started };
      break;
    case 'ready':
      if (state.at === 'started') return { ...state, at: 'ready' };
      break;
    case 'stopped':
      if (state.at === 'failed') return { ...state, was: stopped(state.was) };
      return stopped(state);
    case 'failed':
      if (state.at !== 'failed') return { at: 'failed', step: move.step, error: move.error, was: state };
      break;
    case 'renewed':
      return state.at === 'failed' ? renewed(state.was) : state;
  }
  throw new Error(`bug: a plugin that is ${state.at} cannot be ${move.to}`);
}

function stopped(state: Alive): Alive {
  return 'taken' in state ? { at: 'stopped', plugin: state.plugin } : state;
}

function renewed(state: Alive): Alive {
  return 'plugin' in state ? { at: 'imported', plugin: state.plugin } : state;
}

/** Returns the resources to release; undefined before a start, or after their release. */
export function takenIn(state: PluginState): TakenResources | undefined {
  const reached = state.at === 'failed' ? state.was : state;
  return 'taken' in reached ? reached.taken : undefined;
}

/** What can be asked; undefined when the plugin does not run. */
export function startedIn(state: PluginState): StartedPlugin | undefined {
  return state.at === 'started' || state.at === 'ready' ? state.started : undefined;
}

/** What has let work in, or was about to. */
export function readyIn(state: PluginState): StartedPlugin | undefined {
  const reached = state.at === 'failed' ? state.was : state;
  return reached.at === 'ready' ? reached.started : undefined;
}

export function outcomeOf(state: PluginState): StartOutcome {
  switch (state.at) {
    case 'failed':
      return isKeelsonError(state.error, 'KERNEL_START_CANCELLED') ? 'cancelled' : 'failed';
    case 'started':
    case 'ready':
    case 'stopped':
      return 'started';
    default:
      return 'not-tried';
  }
}

import { expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import {
  movePlugin,
  outcomeOf,
  type PluginMove,
  type PluginState,
  readyIn,
  startedIn,
  takenIn,
} from './plugin-state.js';
import { TakenResources } from './taken-resources.js';

const error = new Error('no luck');
const plugin = {};
const taken = new TakenResources();
const started = {};
const moves = {
  imported: { to: 'imported', plugin },
  registered: { to: 'registered', registered: {} },
  starting: { to: 'starting', taken },
  started: { to: 'started', started },
  ready: { to: 'ready' },
  stopped: { to: 'stopped' },
  failed: { to: 'failed', step: 'start', error },
  renewed: { to: 'renewed' },
} as const satisfies Record<string, PluginMove>;
const way = ['imported', 'registered', 'starting', 'started', 'ready', 'stopped'] as const;

/** The state after these moves. */
function after(...names: readonly (keyof typeof moves)[]): PluginState {
  return names.reduce<PluginState>((state, name) => movePlugin(state, moves[name]), { at: 'planned' });
}

test('a plugin goes one way, and no step of it can be left out or made twice', () => {
  for (const [index, name] of way.slice(0, 5).entries()) {
    const before = way.slice(0, index);
    expect(after(...before, name).at).toBe(name);
    for (const other of way.slice(0, 5)) {
      if (other !== name) expect(() => after(...before, other), `${other} after ${before}`).toThrow('bug');
    }
  }
});

test('a plugin holds resources from the beginning of its start until its stop, also after a failure', () => {
  const owed = way.map((_, index) => takenIn(after(...way.slice(0, index + 1))) === taken);
  expect(owed).toEqual([false, false, true, true, true, false]);
  expect(takenIn(after('imported', 'registered', 'failed'))).toBeUndefined();
  expect(takenIn(after('imported', 'registered', 'starting', 'failed'))).toBe(taken);
  expect(takenIn(after('imported', 'registered', 'starting', 'failed', 'stopped'))).toBeUndefined();
});

test('it can be asked while it runs, and drained once work may have been let in', () => {
  const asked = way.map((_, index) => startedIn(after(...way.slice(0, index + 1))) === started);
  expect(asked).toEqual([false, false, false, true, true, false]);
  const readied = ['imported', 'registered', 'starting', 'started', 'ready'] as const;
  expect(startedIn(after(...readied, 'failed'))).toBeUndefined();
  expect(readyIn(after(...readied, 'failed'))).toBe(started);
  expect(readyIn(after('imported', 'registered', 'starting', 'started'))).toBeUndefined();
});

test('after a failure it is tried again from register on; without one it stays where it is', () => {
  for (const failed of [1, 2, 3, 4, 5]) expect(after(...way.slice(0, failed), 'failed', 'renewed').at).toBe('imported');
  expect(after('failed', 'renewed').at).toBe('planned');
  expect(after('imported', 'registered', 'renewed').at).toBe('registered');
});

test('its outcome is that of its start, also when it has stopped', () => {
  const outcomes = way.map((_, index) => outcomeOf(after(...way.slice(0, index + 1))));
  expect(outcomes).toEqual(['not-tried', 'not-tried', 'not-tried', 'started', 'started', 'started']);
  expect(outcomeOf(after('imported', 'failed', 'stopped'))).toBe('failed');
  const cancelled = new KeelsonError({ code: 'KERNEL_START_CANCELLED', message: 'Enough.' });
  expect(outcomeOf(movePlugin(after('imported'), { to: 'failed', step: 'register', error: cancelled }))).toBe(
    'cancelled',
  );
});

import { describe, expect, test } from 'vitest';
import { type DatabaseState, StateMachine } from './state.js';

const states: Readonly<Record<DatabaseState['is'], DatabaseState>> = {
  disconnected: { is: 'disconnected' },
  connecting: { is: 'connecting', attempt: 1 },
  connected: { is: 'connected', since: new Date(0) },
  error: { is: 'error', since: new Date(0), cause: undefined },
  closed: { is: 'closed' },
};

/** A way to each state. */
const ways: Readonly<Record<DatabaseState['is'], readonly DatabaseState['is'][]>> = {
  disconnected: [],
  connecting: ['connecting'],
  connected: ['connecting', 'connected'],
  error: ['connecting', 'connected', 'error'],
  closed: ['closed'],
};

const moves: Readonly<Record<DatabaseState['is'], readonly DatabaseState['is'][]>> = {
  disconnected: ['connecting', 'closed'],
  connecting: ['connecting', 'connected', 'disconnected', 'closed'],
  connected: ['error', 'closed'],
  error: ['connected', 'error', 'closed'],
  closed: [],
};

const names = Object.keys(states) as DatabaseState['is'][];

const machineIn = (name: DatabaseState['is']): StateMachine => {
  const machine = new StateMachine();
  for (const step of ways[name]) machine.move(states[step]);
  return machine;
};

describe('the state of a database', () => {
  test('is disconnected at first', () => {
    expect(new StateMachine().current).toEqual({ is: 'disconnected' });
  });

  for (const from of names) {
    for (const to of names) {
      const may = moves[from].includes(to);
      test(`${may ? 'moves' : 'never moves'} from ${from} to ${to}`, () => {
        const machine = machineIn(from);
        if (may) machine.move(states[to]);
        else expect(() => machine.move(states[to])).toThrow(`bug: database cannot go from ${from} to ${to}`);
        expect(machine.current.is).toBe(may ? to : from);
      });
    }
  }

  test('is announced once for each move, with what it was before, and never for a move that is refused', () => {
    const machine = new StateMachine();
    const heard: string[] = [];
    machine.onChange((now, before) => heard.push(`${before.is} -> ${now.is}`));
    machine.move(states.connecting);
    expect(() => machine.move(states.error)).toThrow();
    machine.move(states.connected);
    expect(heard).toEqual(['disconnected -> connecting', 'connecting -> connected']);
  });

  test('is known by the time it is announced, and no longer announced to who has stopped listening', () => {
    const machine = new StateMachine();
    const heard: string[] = [];
    const listening = machine.onChange(() => heard.push(machine.current.is));
    machine.move(states.connecting);
    listening[Symbol.dispose]();
    machine.move(states.connected);
    expect(heard).toEqual(['connecting']);
  });
});

import { expect, test } from 'vitest';
import type { DatabaseService } from '../database-service.js';
import { type DatabaseCapability, databaseCapabilities, plainEngine } from '../driver/engine.js';
import { databaseConformance } from './database-conformance.js';

/** Says yes to everything and does nothing. */
function deafDatabase(capabilities: readonly DatabaseCapability[]): DatabaseService {
  const answers: Readonly<Record<string | symbol, unknown>> = {
    // biome-ignore lint/suspicious/noThenProperty: an `await` must not take it for a promise
    then: undefined,
    state: { is: 'connected' },
    capabilities: new Set(capabilities),
    engine: plainEngine(capabilities),
    stats: () => ({ total: 0, idle: 0, busy: 0, waiting: 0, max: 1, counters: { acquired: 0 } }),
    currentSession: () => undefined,
    onStateChange: () => ({ [Symbol.dispose]() {} }),
  };
  const get = (_: object, name: string | symbol) => (name in answers ? answers[name] : async () => undefined);
  return new Proxy({}, { get }) as DatabaseService;
}

/** What a database that does nothing does not break. */
const harmless = [
  'takes no connection for a session that runs nothing',
  'can be disconnected when it was never connected',
  'does not call a listener after it was disposed of',
];

test('every case fails on a database that breaks its promise', { timeout: 60_000 }, async () => {
  const outcomes = await Promise.all(
    [databaseCapabilities, []].flatMap(capabilities =>
      databaseConformance(() => ({
        database: deafDatabase(capabilities),
        open: async ({ count }) => Array.from({ length: count }, () => deafDatabase(capabilities)),
      })).map(async ({ name, run }) => ({ name, outcome: await run().catch(() => 'failed') })),
    ),
  );
  const passed = outcomes.filter(({ outcome }) => outcome === 'passed').map(({ name }) => name);
  expect(passed.filter(name => !harmless.includes(name))).toEqual([]);
  expect(outcomes.filter(({ outcome }) => outcome === 'failed').length).toBeGreaterThan(80);
});

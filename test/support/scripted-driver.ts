import { type DatabaseDriver, plainEngine } from '@keelson/database';

const unexpected = (): never => {
  throw new Error('the test did not expect this of the driver');
};

/** A driver for tests of a part that uses a few of its methods: those given, and no other. */
export function scriptedDriver(methods: Partial<DatabaseDriver>): DatabaseDriver {
  return {
    name: 'scripted',
    databaseName: 'scripted',
    engine: plainEngine(methods.capabilities ?? []),
    capabilities: new Set(),
    connect: unexpected,
    acquire: unexpected,
    ping: unexpected,
    transactionOutcome: unexpected,
    stats: unexpected,
    suspend: unexpected,
    resume: unexpected,
    renew: unexpected,
    close: unexpected,
    onLost: () => {},
    ...methods,
  };
}

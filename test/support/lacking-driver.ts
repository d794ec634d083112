import {
  type DatabaseCapability,
  type DatabaseDriver,
  type DriverConnection,
  leavesState,
  type Statement,
} from '@keelson/database';

/** SQL that a database without the capability does not know, or does not do as it should. */
const uses: Partial<Readonly<Record<DatabaseCapability, (sql: string) => boolean>>> = {
  'commit-lookup': sql => /pg_current_xact_id|pg_xact_status/.test(sql),
  savepoints: sql => /^\s*(?:savepoint|release|rollback\s+to)\b/i.test(sql),
  'session-state': leavesState,
  'session-locks': sql => sql.includes('advisory'),
  'server-timeouts': sql => /\b(?:set|reset)\s+(?:local\s+)?(?:statement|lock|idle)\w*_timeout/i.test(sql),
};

/** Tables that may stay when the transaction that made them is undone. */
const ownTables = /^\s*create (?:table|schema) .*mikro_orm_migrations/;

/**
 * `driver` over a database that lacks one capability: every use of it is refused, and remembered in `used`. What
 * the driver asks at connect is not watched.
 */
export function lackingDriver(driver: DatabaseDriver, capability: DatabaseCapability, used: string[]): DatabaseDriver {
  const refuse = (what: string): never => {
    used.push(what);
    throw new Error(`the database lacks ${capability}, and was asked for it: ${what}`);
  };
  const isUse = uses[capability] ?? (() => false);
  const check = (sql: string, connection: DriverConnection) => {
    const isDdl =
      capability === 'transactional-ddl' && /^\s*(?:create|alter|drop)\b/i.test(sql) && !ownTables.test(sql);
    if (isUse(sql) || (isDdl && connection.status !== 'idle')) refuse(sql);
  };
  const watched = (connection: DriverConnection): DriverConnection =>
    overridden(connection, {
      run(statements: readonly Statement[]) {
        for (const { sql } of statements) check(sql, connection);
        return connection.run(statements);
      },
      stream(statement: Statement, chunkSize: number) {
        if (capability === 'stream') refuse('stream');
        return connection.stream(statement, chunkSize);
      },
      copy: (sql: string, lines: AsyncIterable<string>) =>
        capability === 'copy' ? refuse('copy') : connection.copy(sql, lines),
      cancel: (signal: AbortSignal) => (capability === 'cancel' ? refuse('cancel') : connection.cancel(signal)),
    });
  return overridden(driver, {
    acquire: async (options: Parameters<DatabaseDriver['acquire']>[0]) => watched(await driver.acquire(options)),
    transactionOutcome: (id: string, signal: AbortSignal) =>
      capability === 'commit-lookup' ? refuse('transactionOutcome') : driver.transactionOutcome(id, signal),
  });
}

/** The same object with other methods. */
function overridden<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const found: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof found === 'function' ? found.bind(name in methods ? methods : target) : found;
    },
  });
}

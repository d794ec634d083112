/** A change of a built file. */
export interface Edit {
  /** The end of the path of the built file. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** A bug that is planted in the built code of a package, in memory only. */
export interface Mutation extends Edit {
  readonly name: string;
  /** The checks behind it, which would hide the bug: they are taken away, too. */
  readonly also?: readonly Edit[];
}

const transaction = 'plugins/database/dist/transaction/';
const driver = 'plugins/database-postgresql/dist/';
const retry = 'plugins/retry-opossum/dist/';
const listening = 'plugins/database/dist/listening/';
const migrations = 'plugins/database/dist/migrations/';

const refusesFailed: Edit = {
  file: `${transaction}lazy-transaction.js`,
  find: "if (outcome.is === 'failed')\n            return { error: new TransactionFailedError() };",
  replace: '',
};
const refusesFailedStatus: Edit = {
  file: `${transaction}lazy-transaction.js`,
  find: "if (status === 'failed transaction')\n            return { error: new TransactionFailedError() };",
  replace: '',
};
const readsTagOfCommit: Edit = {
  file: `${transaction}commit.js`,
  find: "const committed = results[0]?.command === 'COMMIT';",
  replace: 'const committed = true;',
};
const waitsForCancelled: Edit = {
  file: `${transaction}connection-return.js`,
  find: 'await connection.cancel(signal);',
  replace: 'void connection.cancel(signal);\n            isRunning = false;\n            break;',
};

export const mutations: readonly Mutation[] = [
  {
    name: 'a lookup does not end when its timer fires',
    file: `${transaction}commit-resolver.js`,
    find: 'while (!controller.signal.aborted) {',
    replace: 'while (!until.passed && !this.#closed.aborted) {',
  },
  {
    name: 'a lookup trusts a server that has crashed',
    file: `${driver}commit-lookup.js`,
    find: "return isSame ? 'committed' : 'unknown';",
    replace: "return 'committed';",
  },
  {
    name: 'a lookup takes a running transaction for an aborted one',
    file: `${driver}commit-lookup.js`,
    find: "return isSame ? 'in progress' : 'aborted';",
    replace: "return 'aborted';",
  },
  {
    name: 'a lookup confuses two servers',
    file: `${driver}commit-lookup.js`,
    find: 'const isSame = nowRun === itsRun && (nowStart === itsStart || Number(nowStart) > Number(itsBegin));',
    replace: 'const isSame = true;',
  },
  {
    name: 'a lookup without an answer counts as aborted',
    file: `${transaction}commit-resolver.js`,
    find: ".catch(() => (late.signal.aborted ? 'late' : 'no answer'))",
    replace: ".catch(() => 'aborted')",
  },
  {
    name: 'a lookup waits for a connection that is dead',
    file: `${transaction}commit-resolver.js`,
    find: "late.abort(new Error('no answer in time'))",
    replace: '{}',
  },
  {
    name: 'an unknown outcome counts as aborted',
    file: `${transaction}commit-resolver.js`,
    find: "return { is: 'unknown', why };",
    replace: "return { is: 'aborted' };",
  },
  {
    name: 'an unanswered COMMIT counts as refused',
    file: `${transaction}commit.js`,
    find: 'outcome.move(isDefiniteRefusal(error) ?',
    replace: 'outcome.move(true ?',
  },
  {
    name: 'a COMMIT that is late counts as refused',
    file: `${transaction}commit.js`,
    find: "outcome.move({ it: 'lost COMMIT', error, late: true });",
    replace: "outcome.move({ it: 'was refused' });",
  },
  {
    name: 'an unanswered COMMIT counts as done',
    file: `${transaction}commit.js`,
    find: "{ it: 'lost COMMIT', error, late: false });\n    throw error;",
    replace: "{ it: 'was committed' });\n    return;",
  },
  {
    name: 'a COMMIT that rolled back counts as done',
    ...readsTagOfCommit,
    also: [refusesFailed, refusesFailedStatus],
  },
  {
    name: 'a write does not wait for COMMIT',
    file: `${transaction}commit.js`,
    find: 'if (connection === undefined || settings.readOnly) {',
    replace: 'if (true) {',
  },
  {
    name: 'a read-only transaction is returned before its COMMIT',
    file: `${transaction}commit.js`,
    find: 'held.releaseAfter(connection.run(commit));',
    replace: '{ void connection.run(commit); held.release(); }',
  },
  {
    name: 'a connection that comes too late is kept',
    file: `${transaction}held-connection.js`,
    find: '        connection.release();\n        throw this.reason();',
    replace: '        throw this.reason();',
  },
  {
    name: 'BEGIN does not set READ ONLY',
    file: `${transaction}transaction-settings.js`,
    find: "begin.push('read only');",
    replace: '{}',
  },
  {
    name: 'BEGIN does not set the isolation level',
    file: `${transaction}transaction-settings.js`,
    find: 'if (settings.isolation !== undefined)\n        begin.push',
    replace: 'if (false)\n        begin.push',
  },
  {
    name: 'a connection in a transaction goes back to the pool',
    file: `${driver}postgresql-connection.js`,
    find: 'if (!this.#lost && isIdle)',
    replace: 'if (!this.#lost)',
    also: [
      {
        file: `${transaction}connection-return.js`,
        find: "await this.releaseAfter(connection, connection.run([{ sql: 'rollback' }]));",
        replace: 'connection.release();',
      },
    ],
  },
  {
    name: 'a connection that has not answered goes back to the pool',
    file: `${driver}postgresql-connection.js`,
    find: "this.#unanswered === 0 && this.#client.getTransactionStatus() === 'I'",
    replace: "this.#client.getTransactionStatus() === 'I'",
    also: [waitsForCancelled],
  },
  { name: 'a cancel request is not waited for', ...waitsForCancelled },
  {
    name: 'the wait for a silent server has no timeout',
    file: `${transaction}connection-return.js`,
    find: 'connection.destroy(signal?.reason ?? new SessionClosedError());',
    replace: 'return;',
  },
  {
    name: 'a permit is lost with a failed connect',
    file: `${driver}connection-pool.js`,
    find: '        catch (error) {\n            permit.release();\n            throw error instanceof',
    replace: '        catch (error) {\n            throw error instanceof',
  },
  {
    name: 'a permit is lost with a connection that is thrown away',
    file: `${driver}connection-pool.js`,
    find: "                    this.#discard(client, 'lost');\n                    permit.release();",
    replace: "                    this.#discard(client, 'lost');",
  },
  {
    name: 'a late connection is not released',
    file: `${driver}check-out.js`,
    find: 'onLate(client);',
    replace: '',
  },
  {
    name: 'sockets of idle connections are left open',
    file: `${driver}connection-pool.js`,
    find: '        await this.#sockets.closed(deadline);',
    replace: '',
  },
  {
    name: 'a ping that fails is ignored',
    file: `${driver}pings.js`,
    find: 'resolve(false);',
    replace: 'resolve(true);',
  },
  {
    name: 'a ping has no timeout',
    file: `${driver}pings.js`,
    find: "() => fail(new Error('ping timed out'))",
    replace: '() => {}',
  },
  {
    name: 'the timer of a waiter is not cancelled',
    file: `plugins/database/dist/driver/permits.js`,
    find: '                timer?.cancel();\n',
    replace: '',
  },
  {
    name: 'a waiter that left stays in the line',
    file: `plugins/database/dist/driver/permits.js`,
    find: 'this.#counted.timedOut += 1;\n                leave();',
    replace: 'this.#counted.timedOut += 1;',
  },
  {
    name: 'a free permit is not given to a waiting caller',
    file: `plugins/database/dist/driver/permits.js`,
    find: '                this.#taken -= 1;\n                this.#next();',
    replace: '                this.#taken -= 1;',
  },
  {
    name: 'the timer of a session is not cancelled',
    file: `plugins/database/dist/session/abort-in-time.js`,
    find: '        timer?.cancel();',
    replace: '',
  },
  {
    name: 'a session has no deadline',
    file: `plugins/database/dist/session/abort-in-time.js`,
    find: 'clock.schedule(remainingMs, onDeadline) : undefined',
    replace: 'undefined : undefined',
  },
  {
    name: 'the abort of a caller is ignored',
    file: `plugins/database/dist/session/abort-in-time.js`,
    find: "signal?.addEventListener('abort', onSignal, { once: true });",
    replace: '{}',
  },
  {
    name: 'a lost database is asked only once whether it is back',
    file: `plugins/database/dist/healing.js`,
    find: 'this.#schedule(Math.min(pauseMs * 2, longestPauseMs));',
    replace: '{}',
  },
  {
    name: 'a failed transaction is committed',
    ...refusesFailed,
    also: [refusesFailedStatus, readsTagOfCommit],
  },
  {
    name: 'a commit is run again',
    file: `${transaction}commit-resolver.js`,
    find: "if (said === 'committed' || (said === 'aborted' && this.#proof.isWhole))\n            return { is: said };",
    replace: "if (said === 'committed' || said === 'aborted')\n            return { is: 'aborted' };",
  },
  {
    name: 'the id of the transaction is not asked for',
    file: `${transaction}statements.js`,
    find: 'return proof.mark()?.statement;',
    replace: 'return undefined;',
  },
  {
    name: 'a token that is refused counts as stored',
    file: `plugins/database/dist/proof/token-proof.js`,
    find: "if (outcome === 'committed')\n                return outcome;",
    replace: "if (outcome !== undefined)\n                return 'committed';",
  },
  {
    name: 'a token that cannot be looked up counts as refused',
    file: `plugins/database/dist/proof/token-proof.js`,
    find: "return 'in progress';",
    replace: "return 'aborted';",
  },
  {
    name: 'the control connection is not closed',
    file: `${driver}control-connection.js`,
    find: 'void dropped?.then(client => client.connection.stream.destroy(), () => { });',
    replace: '',
  },
  {
    name: 'a query on the control connection has no timeout',
    file: `${driver}control-connection.js`,
    find: "    signal.addEventListener('abort', onAbort, { once: true });\n    try {\n        return await Promise.race",
    replace: '    try {\n        return await Promise.race',
  },
  {
    name: 'retries do not use the budget',
    file: `${retry}retry-budget.js`,
    find: '        this.#retries++;\n',
    replace: '        this.#reserved;\n',
  },
  {
    name: 'the permit of a probe is not released',
    file: `${retry}opossum-breaker.js`,
    find: "state.name === 'half-open' && state.probes.delete(permit)",
    replace: "state.name === 'half-open' && false",
  },
  {
    name: 'a block continues after its savepoint was rolled back',
    file: `${transaction}savepoint-commands.js`,
    find: 'savepoints.rolledBack(savepoint);',
    replace: '',
  },
  {
    name: 'a failure is not noted',
    file: `${transaction}outcome.js`,
    find: "case 'failed':\n            return isWorking",
    replace: "case 'failed':\n            if (true) return outcome;\n            return isWorking",
    also: [refusesFailedStatus, readsTagOfCommit],
  },
  {
    name: 'a listening connection that was lost leaves no gap',
    file: `${listening}channel-subscription.js`,
    find: "const reason = this.#hasBegun ? 'reconnected' : 'started';",
    replace: "if (this.#hasBegun)\n            return;\n        const reason = 'started';",
  },
  {
    name: 'a silent listening connection is not asked whether it is there',
    file: `${listening}proof-of-life.js`,
    find: '                this.ask();',
    replace: '                this.#wait(checkIntervalMs);',
    also: [
      {
        file: `${listening}listening.js`,
        find: 'this.#connection.doubt();',
        replace: '',
      },
    ],
  },
  {
    name: 'a gap is reported before the server has confirmed LISTEN',
    file: `${listening}listening-connection.js`,
    find: 'await this.#inTime(signal => listener.listen(channels, signal));',
    replace: 'void this.#inTime(signal => listener.listen(channels, signal)).catch(() => {});',
  },
  {
    name: 'a part that is undone keeps its messages',
    file: `${transaction}pending-statements.js`,
    find: 'index < at || notice?.block !== block',
    replace: 'true',
    also: [
      {
        file: `${transaction}pending-statements.js`,
        find: 'notice?.isUndone() !== true',
        replace: 'true',
      },
    ],
  },
  {
    name: 'a batch is run again with the rest of its rows',
    file: 'plugins/database/dist/batch/run-batch.js',
    find: 'if (!source.canRewind)\n            session',
    replace: 'if (false)\n            session',
  },
  {
    name: 'two instances migrate at the same time',
    file: `${migrations}migration-run.js`,
    find: 'return row?.locked === true && !(await this.#isMarked(ask));',
    replace: 'return true;',
  },
  {
    name: 'migrations whose COMMIT gets no answer count as not stored',
    file: `${migrations}shared-transaction.js`,
    find: 'const isInDoubt = this.isEnding && !isDefiniteRefusal(error);',
    replace: 'const isInDoubt = false;',
  },
];

import { isDeepStrictEqual } from 'node:util';
import type { End, Link } from '../network/network.ts';
import type { Happening } from '../world/virtual-time.ts';
import { describe } from '../world/world.ts';
import { type Command, commandOf, statementsOf, UnknownStatement } from './commands.ts';
import { checkDeferred } from './constraints.ts';
import { type Answer, execute, parameterTypesOf, prepare } from './execute.ts';
import { type LimitName, limitNames } from './limits.ts';
import type { LockMode, LockRequest } from './lock-table.ts';
import type { SimulatedServer } from './server.ts';
import { problems, SqlError } from './sql-error.ts';
import type { Entry, Isolation, Strength, Transaction } from './store.ts';
import { type Column, type FrontendMessage, FrontendReader, backend as say, typeNumbers } from './wire.ts';

/** What ends a backend without a word. */
class Gone extends Error {}

/** Where a backend waits for what others hold. */
interface Line {
  /** False while it has to wait. */
  take(): boolean;
  blockers(): readonly Transaction[];
  join(admit: () => void): void;
  leave(): void;
}

interface Statement {
  readonly sql: string;
  readonly command: Command;
  readonly types: readonly number[];
  /** What its rows look like, as its client knows it. */
  readonly columns?: readonly Column[];
}

/** One session of a server: reads messages, does what they say, answers. */
export class Backend implements End {
  readonly server: SimulatedServer;
  readonly pid: number;
  readonly secret: number;
  readonly startedAtMs: number;
  user = '';
  applicationName = '';
  /** What `pg_stat_activity` says of it. */
  state: 'starting' | 'active' | 'idle' | 'idle in transaction' | 'idle in transaction (aborted)' = 'starting';
  stateChangedAtMs: number;
  waitEvent = '';
  /** The last statement that it ran. */
  query = '';
  transaction: Transaction | undefined;
  /** BEGIN was said: it ends with COMMIT or ROLLBACK. */
  isBlock = false;
  hasFailed = false;
  readonly limits = new Map<LimitName, number>();
  readonly #startLimits = new Map<LimitName, number>();
  readonly #sessionLimits = new Map<LimitName, number>();
  isReadOnlyTransaction = false;
  readonly #link: Link;
  readonly #reader = new FrontendReader();
  readonly #prepared = new Map<string, Statement>();
  #portal: { readonly statement: Statement; readonly values: readonly (string | null)[] } | undefined;
  #isOver = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;
  /** Ends the wait of a statement. */
  #interrupt: ((error: Error) => void) | undefined;
  #pendingInterrupt: Error | undefined;
  #idleTimer: Happening | undefined;
  #skips = false;
  /** More than one statement runs before the transaction ends by itself. */
  #isOneOfSeveral = false;
  #out: Buffer[] = [];
  /** What the client has learned when so many bytes of `#out` have arrived. */
  #lessons: { readonly after: number; readonly learned: () => void }[] = [];
  #said: boolean | undefined;

  constructor(server: SimulatedServer, link: Link, pid: number, secret: number) {
    this.server = server;
    this.#link = link;
    this.pid = pid;
    this.secret = secret;
    this.startedAtMs = server.world.epochMs;
    this.stateChangedAtMs = this.startedAtMs;
    void this.#live();
  }

  get link(): Link {
    return this.#link;
  }

  get startsWithLimits(): boolean {
    return this.#startLimits.size > 0;
  }

  startLimit(name: LimitName): number {
    return this.#startLimits.get(name) ?? 0;
  }

  // What the network calls.

  data(bytes: Buffer): void {
    this.#reader.push(bytes);
    this.#wake?.();
  }

  /** Noticed when it reads, or when it writes: a statement that runs is done first. */
  ended(isReset: boolean): void {
    this.#hasEnded = true;
    if (isReset && this.state !== 'active') this.#finish();
    else this.#wake?.();
  }

  // What the server, and other backends, call.

  /** A cancel request: it ends the statement that runs, if one does. */
  cancel(): void {
    if (this.state === 'active') this.#break(problems.cancelled());
  }

  terminate(): void {
    if (this.#isOver) return;
    if (this.state === 'active') this.#break(problems.terminated());
    else this.#end(problems.terminated());
  }

  /** The process is gone. */
  die(silently: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#forgetIdle();
    this.#abort();
    this.server.store.locks.releaseAllOf(this);
    this.#pendingInterrupt = new Gone();
    this.#interrupt?.(this.#pendingInterrupt);
    if (silently) this.#link.vanish();
    else if (this.server.random.chance(0.3)) this.#link.reset();
    else this.#link.closeDown();
    this.#wake?.();
  }

  /** The server is no standby any more. */
  reportRole(): void {
    if (this.state === 'idle') {
      this.#reportChanges();
      this.#flush();
    }
  }

  // Its life.

  async #live(): Promise<void> {
    try {
      if (!(await this.#start())) return;
      for (;;) {
        const message = await this.#next();
        if (message === undefined || message.is === 'terminate') break;
        await this.#handle(message);
      }
      this.#finish();
    } catch (error) {
      if (error instanceof Gone) return;
      if (error instanceof SqlError && error.severity === 'FATAL') {
        this.#end(error);
        return;
      }
      this.server.world.violate('the simulation is sound', describe(error));
      this.#finish();
    }
  }

  async #start(): Promise<boolean> {
    const first = await this.#next();
    if (first === undefined) {
      this.#finish();
      return false;
    }
    if (first.is === 'ssl') {
      this.#link.sendDown(Buffer.from('N'));
      return this.#start();
    }
    if (first.is === 'cancel') {
      await this.#pause(0.1);
      this.server.cancel(first.pid, first.secret);
      this.#finish();
      return false;
    }
    if (first.is !== 'startup') throw new Error(`a connection begins with ${first.is}`);
    await this.#pause(this.server.random.exponential(1) + 0.5);
    const { refusal } = this.server;
    if (refusal !== undefined) throw refusal;
    this.user = first.parameters.get('user') ?? '';
    this.applicationName = first.parameters.get('application_name') ?? '';
    this.#link.purpose = this.applicationName.replace(/^\S+/, '');
    for (const name of limitNames) {
      const ms = first.parameters.get(name);
      if (ms !== undefined) this.#startLimits.set(name, Number(ms));
      this.limits.set(name, Number(ms ?? 0));
    }
    this.#say(say.authenticated);
    const parameters = {
      client_encoding: 'UTF8',
      DateStyle: 'ISO, MDY',
      IntervalStyle: 'postgres',
      standard_conforming_strings: 'on',
      integer_datetimes: 'on',
      server_version: '18.1',
      TimeZone: 'UTC',
      default_transaction_read_only: this.server.isReadOnly && !this.server.isStandby ? 'on' : 'off',
      application_name: this.applicationName,
    };
    for (const [name, value] of Object.entries(parameters)) this.#say(say.parameter(name, value));
    this.#reportChanges();
    this.#say(say.key(this.pid, this.secret));
    this.#ready();
    return true;
  }

  #reportChanges(): void {
    const { isStandby } = this.server;
    if (this.#said === isStandby) return;
    this.#said = isStandby;
    this.#say(say.parameter('in_hot_standby', isStandby ? 'on' : 'off'));
  }

  async #next(): Promise<FrontendMessage | undefined> {
    for (;;) {
      if (this.#isOver) throw new Gone();
      const message = this.#reader.next();
      if (message !== undefined) return message;
      if (this.#hasEnded) return undefined;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  async #handle(message: FrontendMessage): Promise<void> {
    if (this.#skips && message.is !== 'sync') return;
    this.#forgetIdle();
    this.#setState('active');
    try {
      await this.#carryOut(message);
    } catch (error) {
      if (error instanceof UnknownStatement) {
        this.server.world.violate('the simulation knows the statement', error.message);
        this.#failed(new SqlError('0A000', 'the simulation does not know this statement'));
      } else if (error instanceof SqlError && error.severity === 'ERROR') this.#failed(error);
      else throw error;
      if (message.is === 'query') this.#ready();
      else if (message.is !== 'sync') this.#skips = true;
      else this.#ready();
    }
  }

  #failed(error: SqlError): void {
    this.#say(problem(error));
    if (this.isBlock && this.transaction !== undefined) {
      this.hasFailed = true;
      this.server.store.fail(this.transaction, this.server.world.epochMs);
    } else this.#abort();
  }

  async #carryOut(message: FrontendMessage): Promise<void> {
    switch (message.is) {
      case 'query': {
        const statements = statementsOf(message.sql).map(sql => ({
          sql: message.sql,
          command: this.#commandOf(sql),
          types: [],
        }));
        if (statements.length === 0) this.#say(say.empty);
        this.#isOneOfSeveral = statements.length > 1;
        const inTime = this.#startTimer();
        try {
          for (const statement of statements) await this.#run(statement, [], true);
          await this.#commitImplicit();
        } finally {
          inTime();
          this.#isOneOfSeveral = false;
        }
        this.#ready();
        return;
      }
      case 'parse': {
        if (message.name !== '' && this.#prepared.has(message.name)) throw problems.knownStatement(message.name);
        const command = this.#commandOf(oneStatementOf(message.sql));
        if (this.hasFailed && !endsTransaction(command)) throw problems.failed();
        this.query = message.sql;
        // The names in it are looked up now.
        const columns = await prepare(this, command);
        this.#prepared.set(message.name, { sql: message.sql, command, types: message.types, columns });
        this.#say(say.parsed);
        return;
      }
      case 'bind': {
        const statement = this.#prepared.get(message.name);
        if (statement === undefined) throw problems.unknownStatement(message.name);
        if (this.hasFailed && !endsTransaction(statement.command)) throw problems.failed();
        if (message.values.some(value => value?.includes('\0') === true)) throw problems.notInEncoding();
        this.#portal = { statement, values: message.values };
        this.#say(say.bound);
        return;
      }
      case 'describe': {
        const statement = message.of === 'P' ? this.#portal?.statement : this.#prepared.get(message.name);
        if (statement === undefined) throw problems.unknownStatement(message.name);
        if (message.of === 'S') this.#say(say.parameters(parameterTypes(this, statement)));
        const columns = statement.columns ?? [];
        this.#say(columns.length === 0 ? say.noData : say.columns(columns));
        return;
      }
      case 'execute': {
        const portal = this.#portal;
        if (portal === undefined) throw new SqlError('34000', 'portal "" does not exist');
        const inTime = this.#startTimer();
        try {
          await this.#run(portal.statement, portal.values, false);
          this.#isOneOfSeveral = true;
        } finally {
          inTime();
        }
        return;
      }
      case 'close':
        if (message.of === 'S') this.#prepared.delete(message.name);
        this.#say(say.closed);
        return;
      case 'sync':
        this.#skips = false;
        this.#isOneOfSeveral = false;
        await this.#commitImplicit();
        this.#ready();
        return;
      case 'flush':
        this.#flush();
        return;
      case 'copy data':
      case 'copy done':
      case 'copy fail':
        return;
      default:
        throw new Error(`the simulation does not expect ${message.is} here`);
    }
  }

  #commandOf(sql: string): Command {
    return commandOf(sql, table => this.server.store.hasTable(table));
  }

  async #run(
    { sql, command, columns: known }: Statement,
    values: readonly (string | null)[],
    describes: boolean,
  ): Promise<void> {
    if (this.hasFailed && !endsTransaction(command)) throw problems.failed();
    this.query = sql;
    await this.#pause(this.server.random.exponential(this.server.options.statementMs) * this.server.slowness);
    const columns = await prepare(this, command);
    if (known !== undefined && known !== columns && !isDeepStrictEqual(known, columns))
      throw new SqlError('0A000', 'cached plan must not change result type');
    const answer = await this.#answer(command, values);
    if (describes && columns.length > 0) this.#say(say.columns(columns));
    for (const row of answer.rows) this.#say(say.row(row));
    this.#say(say.complete(answer.tag));
    if (answer.onLearned !== undefined) {
      const after = this.#out.reduce((sum, { length }) => sum + length, 0);
      this.#lessons.push({ after, learned: answer.onLearned });
    }
  }

  async #answer(command: Command, values: readonly (string | null)[]): Promise<Answer> {
    switch (command.is) {
      case 'begin':
        // In a batch, what ran before it is part of the transaction from now on.
        if (!this.isBlock) this.#begin(command.isolation ?? 'read committed', command.readOnly);
        this.isBlock = true;
        return { rows: [], tag: 'BEGIN' };
      case 'commit':
        return this.#commit();
      case 'rollback':
        this.#abort();
        return { rows: [], tag: 'ROLLBACK' };
      case 'rollback to':
        if (!this.isBlock || this.transaction === undefined)
          throw new SqlError('25P01', 'ROLLBACK TO SAVEPOINT can only be used in transaction blocks');
        this.server.store.rollbackTo(this.transaction, command.name);
        this.hasFailed = false;
        return { rows: [], tag: 'ROLLBACK' };
      default:
        return execute(this, command, values);
    }
  }

  #begin(isolation: Isolation, isReadOnly: boolean): Transaction {
    const { store, world } = this.server;
    this.transaction ??= store.begin(isolation, isReadOnly, world.epochMs);
    this.isReadOnlyTransaction = isReadOnly || this.server.isReadOnly || this.server.isStandby;
    return this.transaction;
  }

  /** @throws SqlError for a statement that must be alone: it commits by itself, in steps. */
  assertNoBlock(what: string): void {
    if (this.isBlock || this.#isOneOfSeveral)
      throw new SqlError('25001', `${what} cannot run inside a transaction block`);
  }

  /** What was done so far is committed, whatever becomes of the rest of the statement. */
  async commitStep(): Promise<void> {
    await this.#commitImplicit();
  }

  /** For the session; undefined: as it was at its start. Only outside of a block, which would undo it. */
  setLimit(name: LimitName, ms: number | undefined): void {
    if (this.isBlock) throw new UnknownStatement(this.query);
    const to = ms ?? this.startLimit(name);
    this.limits.set(name, to);
    this.#sessionLimits.set(name, to);
  }

  /** That of the block, or one that ends with the batch. */
  current(): Transaction {
    return this.transaction ?? this.#begin('read committed', false);
  }

  async #commit(): Promise<Answer> {
    const wasFailed = this.hasFailed;
    const { transaction } = this;
    if (wasFailed || transaction === undefined) {
      this.#abort();
      return { rows: [], tag: wasFailed ? 'ROLLBACK' : 'COMMIT' };
    }
    if (transaction.toCheck.length > 0) await this.#checkAtCommit();
    const { history, name, onCommit } = this.server;
    const { units } = transaction;
    const isWriting = units.size > 0;
    const order = isWriting ? onCommit?.({ when: 'before', link: this.#link, units }) : undefined;
    if (order === 'stop') throw problems.terminated();
    if (typeof order === 'object') await this.#uncancellable(order.laterMs);
    if (this.#isOver) throw new Gone();
    this.#forgetTransaction();
    const id = this.server.commit(transaction);
    if (isWriting) onCommit?.({ when: 'after', link: this.#link, units });
    if (this.#isOver) throw new Gone();
    return { rows: [], tag: 'COMMIT', ...(id !== undefined && { onLearned: history.answerAbout(name, id) }) };
  }

  /** A transaction that is refused by then has ended. */
  async #checkAtCommit(): Promise<void> {
    try {
      await checkDeferred(this);
    } catch (error) {
      this.#abort();
      throw error;
    }
  }

  async #commitImplicit(): Promise<void> {
    const { transaction } = this;
    if (this.isBlock || transaction === undefined) return;
    if (transaction.toCheck.length > 0) await checkDeferred(this);
    this.#forgetTransaction();
    this.server.commit(transaction);
  }

  #abort(): void {
    const { transaction } = this;
    this.#forgetTransaction();
    if (transaction !== undefined) this.server.store.abort(transaction, this.server.world.epochMs);
  }

  #forgetTransaction(): void {
    this.transaction = undefined;
    this.isBlock = false;
    this.hasFailed = false;
    this.isReadOnlyTransaction = false;
    for (const name of limitNames) this.limits.set(name, this.#sessionLimits.get(name) ?? this.startLimit(name));
  }

  /** Waits until the transaction has the lock. */
  async hold(entry: Entry, strength: Strength = 'no key update'): Promise<void> {
    const transaction = this.current();
    const { store } = this.server;
    await this.#inLine('transactionid', {
      take: () => store.hold(transaction, entry, strength) === undefined,
      blockers: () => store.blockers(transaction, entry, strength),
      join: admit => entry.waiting.push({ by: transaction, admit }),
      leave: () => {
        const at = entry.waiting.findIndex(({ by }) => by === transaction);
        if (at !== -1) entry.waiting.splice(at, 1);
      },
    });
  }

  /** Waits until it has the lock: until the end of its transaction, or of the session. */
  async lock(name: string, mode: LockMode, { isOfSession = false } = {}): Promise<void> {
    this.current();
    const { locks } = this.server.store;
    const request: LockRequest = { by: this, name, mode, isOfSession };
    await this.#inLine(name.startsWith('advisory') ? 'advisory' : 'relation', {
      take: () => locks.take(request),
      blockers: () => locks.blockers(request).flatMap(({ transaction }) => transaction ?? []),
      join: admit => locks.join(request, admit),
      leave: () => locks.leave(request),
    });
  }

  async #inLine(event: string, { take, blockers, join, leave }: Line): Promise<void> {
    if (take()) return;
    const transaction = this.current();
    const { store, world } = this.server;
    transaction.waitsFor = blockers;
    this.waitEvent = event;
    const lockMs = this.limits.get('lock_timeout') ?? 0;
    const timers: Happening[] = [];
    try {
      await this.#interruptible<void>((resolve, reject) => {
        const wait = () => {
          if (take()) resolve();
          else join(wait);
        };
        wait();
        if (lockMs > 0)
          timers.push(world.time.after(lockMs, 'a lock timeout', () => reject(problems.lockTimeout()), undefined));
        const look = () => {
          if (store.isDeadlocked(transaction)) reject(problems.deadlock());
          else timers.push(world.time.after(1_000, 'a look for deadlocks', look, undefined));
        };
        timers.push(world.time.after(1_000, 'a look for deadlocks', look, undefined));
      });
    } finally {
      for (const timer of timers) world.time.cancel(timer);
      transaction.waitsFor = undefined;
      this.waitEvent = '';
      leave();
    }
  }

  /** What has begun to commit is not ended by a request any more. */
  async #uncancellable(ms: number): Promise<void> {
    await this.server.world.time.sleep(ms, 'a COMMIT');
    if (this.#isOver) throw new Gone();
  }

  /** Takes its time; ends early when the statement is to end. */
  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    const { time } = this.server.world;
    let timer: Happening | undefined;
    try {
      await this.#interruptible<void>(resolve => {
        timer = time.after(ms, 'a statement', resolve, undefined);
      });
    } finally {
      if (timer !== undefined) time.cancel(timer);
    }
  }

  sleep(ms: number): Promise<void> {
    return this.#pause(ms);
  }

  async #interruptible<T>(wait: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    const pending = this.#pendingInterrupt;
    if (pending !== undefined) {
      if (!(pending instanceof Gone)) this.#pendingInterrupt = undefined;
      throw pending;
    }
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#interrupt = error => {
          if (!(error instanceof Gone)) this.#pendingInterrupt = undefined;
          reject(error);
        };
        wait(resolve, reject);
      });
    } finally {
      this.#interrupt = undefined;
      if (this.#isOver) {
        // biome-ignore lint/correctness/noUnsafeFinally: whatever else was thrown, the process is gone.
        throw new Gone();
      }
    }
  }

  #break(error: Error): void {
    this.#pendingInterrupt = error;
    this.#interrupt?.(error);
  }

  #startTimer(): () => void {
    const ms = this.limits.get('statement_timeout') ?? 0;
    if (ms === 0) return () => {};
    const { time } = this.server.world;
    const timer = time.after(ms, 'a statement timeout', () => this.#break(problems.statementTimeout()), undefined);
    return () => time.cancel(timer);
  }

  #ready(): void {
    // What came too late for its statement is of no other.
    if (!(this.#pendingInterrupt instanceof Gone) && !this.#isFatal(this.#pendingInterrupt))
      this.#pendingInterrupt = undefined;
    if (this.#isFatal(this.#pendingInterrupt)) throw this.#pendingInterrupt;
    this.#reportChanges();
    const status = this.isBlock ? (this.hasFailed ? 'E' : 'T') : 'I';
    this.#setState(status === 'I' ? 'idle' : status === 'T' ? 'idle in transaction' : 'idle in transaction (aborted)');
    this.#say(say.ready(status));
    this.#flush();
    const idleMs = this.limits.get('idle_in_transaction_session_timeout') ?? 0;
    if (status === 'I' || idleMs === 0) return;
    this.#idleTimer = this.server.world.time.after(
      idleMs,
      'an idle timeout',
      () => this.#end(problems.idle()),
      undefined,
    );
  }

  #isFatal(error: Error | undefined): boolean {
    return error instanceof SqlError && error.severity === 'FATAL';
  }

  #forgetIdle(): void {
    if (this.#idleTimer !== undefined) this.server.world.time.cancel(this.#idleTimer);
    this.#idleTimer = undefined;
  }

  #setState(state: Backend['state']): void {
    if (this.state === state) return;
    this.state = state;
    this.stateChangedAtMs = this.server.world.epochMs;
  }

  #say(bytes: Buffer): void {
    this.#out.push(bytes);
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    const lessons = this.#lessons.splice(0);
    this.#link.sendDown(Buffer.concat(this.#out.splice(0)), count => {
      for (const { after, learned } of lessons) if (after <= count) learned();
    });
  }

  /** With a last word. */
  #end(error: SqlError): void {
    if (this.#isOver) return;
    this.#say(problem(error));
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#flush();
    this.#forgetIdle();
    this.#abort();
    this.server.store.locks.releaseAllOf(this);
    this.server.backends.delete(this.pid);
    this.#link.closeDown();
    this.#pendingInterrupt = new Gone();
    this.#interrupt?.(this.#pendingInterrupt);
    this.#wake?.();
  }
}

function oneStatementOf(sql: string): string {
  if (!sql.includes(';') || statementsOf(sql).length <= 1) return sql;
  const why = 'cannot insert multiple commands into a prepared statement';
  throw new SqlError('42601', why, 'ERROR', 'exec_parse_message');
}

function endsTransaction(command: Command): boolean {
  return command.is === 'commit' || command.is === 'rollback' || command.is === 'rollback to';
}

/** A type that the client has not named is that which the server has found. */
function parameterTypes(on: Backend, { types, command }: Statement): readonly number[] {
  const found = parameterTypesOf(on, command);
  const count = Math.max(types.length, ...[...found.keys()].map(at => at + 1));
  return Array.from({ length: count }, (_, at) => types[at] || (found.get(at) ?? typeNumbers.text));
}

function problem({ severity, state, message, routine, named }: SqlError): Buffer {
  const { schema = 'public', table, column, constraint } = named;
  return say.problem('E', {
    S: severity,
    V: severity,
    C: state,
    M: message,
    ...(table !== undefined && { s: schema, t: table }),
    ...(column !== undefined && { c: column }),
    ...(constraint !== undefined && { n: constraint }),
    R: routine,
  });
}

import { isDeepStrictEqual } from 'node:util';
import type { End, Link } from '../network/network.ts';
import type { Happening } from '../world/virtual-time.ts';
import { describe } from '../world/world.ts';
import { type Command, commandOf, statementsOf, UnknownStatement } from './commands.ts';
import { checkDeferred } from './constraints.ts';
import { type Answer, done, execute, parameterTypesOf, prepare } from './execute.ts';
import { limitNames } from './limits.ts';
import { Channels, type News } from './listen.ts';
import type { LockMode, LockRequest } from './lock-table.ts';
import { isolationOf, type Modes, setModes } from './modes.ts';
import type { SimulatedServer } from './server.ts';
import { SessionObjects } from './session-objects.ts';
import { Settings } from './settings.ts';
import { problems, SqlError } from './sql-error.ts';
import type { Entry, Mark, Strength, Transaction } from './store.ts';
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

/** A statement with its values; from its first Execute on, also with the rows that were not sent yet. */
interface Portal {
  readonly statement: Statement;
  readonly values: readonly (string | null)[];
  answer?: Answer;
  rows?: Iterator<readonly (string | null)[]>;
}

/** One session of a server: reads messages, does what they say, answers. */
export class Backend implements End {
  readonly server: SimulatedServer;
  readonly pid: number;
  readonly secret: number;
  readonly startedAtMs: number;
  user = '';
  database = '';
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
  readonly settings = new Settings();
  readonly channels = new Channels();
  readonly objects = new SessionObjects();
  isReadOnlyTransaction = false;
  isDeferrableTransaction = false;
  readonly #link: Link;
  readonly #reader = new FrontendReader();
  readonly #prepared = new Map<string, Statement>();
  readonly #portals = new Map<string, Portal>();
  /** Messages of channels that came while it was in a transaction. */
  readonly #inbox: News[] = [];
  #isOver = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;
  /** Ends the wait of a statement. */
  #interrupt: ((error: Error) => void) | undefined;
  #pendingInterrupt: Error | undefined;
  #idleTimer: Happening | undefined;
  #endPortalTimer: (() => void) | undefined;
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

  /** The client has set limits from the start. */
  startsWithLimits = false;

  get preparedNames(): Iterable<string> {
    return [...this.#prepared.keys()].filter(name => name !== '');
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

  /** A message of a channel that it listens to: it is sent outside of transactions. */
  inform(news: News): void {
    this.#inbox.push(news);
    if (this.state !== 'idle') return;
    this.#sayNews();
    this.#flush();
  }

  #sayNews(): void {
    for (const { from, channel, payload } of this.#inbox.splice(0))
      if (this.channels.listening.has(channel)) this.#say(say.notification(from, channel, payload));
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
    this.database = first.parameters.get('database') ?? this.user;
    this.applicationName = first.parameters.get('application_name') ?? '';
    this.#link.purpose = this.applicationName.replace(/^\S+/, '');
    this.settings.begin('application_name', this.applicationName);
    for (const name of limitNames) {
      const ms = first.parameters.get(name);
      if (ms === undefined) continue;
      this.startsWithLimits = true;
      this.settings.begin(name, ms);
    }
    this.#followServer();
    this.#say(say.authenticated);
    this.#reportChanges();
    this.#say(say.key(this.pid, this.secret));
    this.#ready();
    return true;
  }

  /** What the server is set to is the default of its sessions, also of those that are there. */
  #followServer(): void {
    const isReadOnly = this.server.isReadOnly && !this.server.isStandby;
    if (this.#startsReadOnly === isReadOnly) return;
    this.#startsReadOnly = isReadOnly;
    this.settings.begin('default_transaction_read_only', isReadOnly ? 'on' : 'off');
  }
  #startsReadOnly: boolean | undefined;

  #reportChanges(): void {
    for (const [name, value] of this.settings.unreported()) this.#say(say.parameter(name, value));
    const { isStandby } = this.server;
    if (this.#said === isStandby) return;
    this.#said = isStandby;
    this.#say(say.parameter('in_hot_standby', isStandby ? 'on' : 'off'));
  }

  /** Asks its client for data, and gives what comes until it is done. @throws SqlError when the client gives up */
  async *receive(columns: number): AsyncGenerator<Buffer> {
    this.#say(say.copyIn(columns));
    this.#flush();
    for (;;) {
      const message = await this.#nextOfCopy();
      if (message.is === 'copy data') yield message.bytes;
      else if (message.is === 'copy done') return;
      else if (message.is === 'copy fail') throw new SqlError('57014', `COPY from stdin failed: ${message.reason}`);
      else if (message.is !== 'sync' && message.is !== 'flush')
        throw new SqlError('08P01', `unexpected message type during COPY from stdin: ${message.is}`);
    }
  }

  /** A request to end the statement is heard when the next message is there, one to end the session at once. */
  async #nextOfCopy(): Promise<FrontendMessage> {
    for (;;) {
      const pending = this.#pendingInterrupt;
      if (pending instanceof Gone || this.#isFatal(pending)) throw pending;
      const message = this.#reader.next();
      if (message !== undefined) {
        await this.#interruptible<void>(go => go());
        return message;
      }
      if (this.#hasEnded)
        throw new SqlError('08006', 'unexpected EOF on client connection with an open transaction', 'FATAL');
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
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
    // What is left of a COPY that has failed.
    if (message.is.startsWith('copy')) return;
    this.#forgetIdle();
    this.#followServer();
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
    // Its client may wait for it before it sends Sync.
    this.#flush();
    if (this.isBlock && this.transaction !== undefined) {
      this.hasFailed = true;
      if (this.transaction.savepoints.length === 0) this.#undoSession();
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
        this.#portals.set(message.portal, { statement, values: message.values });
        this.#say(say.bound);
        return;
      }
      case 'describe': {
        const statement =
          message.of === 'P' ? this.#portals.get(message.name)?.statement : this.#prepared.get(message.name);
        if (statement === undefined) throw problems.unknownStatement(message.name);
        if (message.of === 'S') this.#say(say.parameters(parameterTypes(this, statement)));
        const columns = statement.columns ?? [];
        this.#say(columns.length === 0 ? say.noData : say.columns(columns));
        return;
      }
      case 'execute': {
        const portal = this.#portals.get(message.portal);
        if (portal === undefined) throw new SqlError('34000', `portal "${message.portal}" does not exist`);
        this.#endPortalTimer ??= this.#startTimer();
        let isSuspended = false;
        try {
          isSuspended = await this.#continue(portal, message.most);
          this.#isOneOfSeveral = true;
        } finally {
          if (!isSuspended) this.#endPortal();
        }
        return;
      }
      case 'close':
        if (message.of === 'S') this.#prepared.delete(message.name);
        else this.#portals.delete(message.name);
        this.#say(say.closed);
        return;
      case 'sync':
        this.#skips = false;
        this.#isOneOfSeveral = false;
        this.#endPortal();
        await this.#commitImplicit();
        this.#ready();
        return;
      case 'flush':
        this.#flush();
        return;
      default:
        throw new Error(`the simulation does not expect ${message.is} here`);
    }
  }

  #commandOf(sql: string): Command {
    return commandOf(sql, table => this.server.store.hasTable(table));
  }

  async #run(statement: Statement, values: readonly (string | null)[], describes: boolean): Promise<void> {
    const { answer, columns } = await this.#carriedOut(statement, values);
    if (describes && columns.length > 0) this.#say(say.columns(columns));
    let count = 0;
    for (const row of answer.rows) {
      this.#say(say.row(row));
      count += 1;
    }
    this.#complete(answer, count);
  }

  async #carriedOut(
    { sql, command, columns: known }: Statement,
    values: readonly (string | null)[],
  ): Promise<{ readonly answer: Answer; readonly columns: readonly Column[] }> {
    if (this.hasFailed && !endsTransaction(command)) throw problems.failed();
    this.query = sql;
    await this.#pause(this.server.random.exponential(this.server.options.statementMs) * this.server.slowness);
    const columns = await prepare(this, command);
    if (known !== undefined && known !== columns && !isDeepStrictEqual(known, columns))
      throw new SqlError('0A000', 'cached plan must not change result type');
    return { answer: await this.#answer(command, values), columns };
  }

  /** Sends as many rows as are wanted; 0 for all. True when there may be more. */
  async #continue(portal: Portal, most: number): Promise<boolean> {
    portal.answer ??= (await this.#carriedOut(portal.statement, portal.values)).answer;
    const { answer } = portal;
    portal.rows ??= answer.rows[Symbol.iterator]();
    for (let count = 0; ; count++) {
      if (most > 0 && count === most) {
        this.#say(say.suspended);
        return true;
      }
      const next = portal.rows.next();
      if (next.done === true) {
        this.#complete(answer, count);
        return false;
      }
      this.#say(say.row(next.value));
    }
  }

  /** With the number of rows of a query that were sent last. */
  #complete({ tag, onLearned }: Answer, count: number): void {
    if (tag === '') this.#say(say.empty);
    else this.#say(say.complete(tag.startsWith('SELECT') ? `SELECT ${count}` : tag));
    if (onLearned === undefined) return;
    const after = this.#out.reduce((sum, { length }) => sum + length, 0);
    this.#lessons.push({ after, learned: onLearned });
  }

  async #answer(command: Command, values: readonly (string | null)[]): Promise<Answer> {
    switch (command.is) {
      case 'begin':
        return this.#beginBlock(command.modes, command.tag);
      case 'commit':
        return this.#commit(command.chains);
      case 'rollback':
        return this.#rollBack(command.chains);
      case 'rollback to':
        if (!this.isBlock || this.transaction === undefined) throw problems.noBlock('ROLLBACK TO SAVEPOINT');
        this.server.store.rollbackTo(this.transaction, command.name);
        this.hasFailed = false;
        return done('ROLLBACK');
      default:
        return execute(this, command, values);
    }
  }

  #beginBlock(modes: Modes, tag = 'BEGIN'): Answer {
    if (this.isBlock) this.warn('25001', 'there is already a transaction in progress');
    // In a batch, what ran before it is part of the transaction from now on.
    this.current();
    setModes(this, modes);
    this.isBlock = true;
    return done(tag);
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

  /** That of the block, or one that ends with the batch. */
  current(): Transaction {
    if (this.transaction !== undefined) return this.transaction;
    const { server, settings } = this;
    this.transaction = server.store.begin(isolationOf(settings), server.world.epochMs);
    this.isReadOnlyTransaction = server.isStandby || settings.get('default_transaction_read_only') === 'on';
    this.isDeferrableTransaction = settings.get('default_transaction_deferrable') === 'on';
    return this.transaction;
  }

  async #commit(chains: boolean): Promise<Answer> {
    if (chains && !this.isBlock) throw problems.noBlock('COMMIT AND CHAIN');
    if (!this.isBlock) this.warn('25P01', 'there is no transaction in progress');
    const wasFailed = this.hasFailed;
    const { transaction } = this;
    if (wasFailed || transaction === undefined) {
      this.#abort(chains);
      return done(wasFailed ? 'ROLLBACK' : 'COMMIT');
    }
    if (transaction.toCheck.length > 0) await this.#checkAtCommit();
    const { history, name, onCommit } = this.server;
    const { units } = transaction;
    const isWriting = units.size > 0;
    const order = isWriting ? onCommit?.({ when: 'before', link: this.#link, units }) : undefined;
    if (order === 'stop') throw problems.terminated();
    if (typeof order === 'object') await this.#uncancellable(order.laterMs);
    if (this.#isOver) throw new Gone();
    const again = this.#modes();
    const id = this.#conclude(transaction);
    if (isWriting) onCommit?.({ when: 'after', link: this.#link, units });
    if (this.#isOver) throw new Gone();
    if (chains) this.#beginBlock(again);
    return { ...done('COMMIT'), ...(id !== undefined && { onLearned: history.answerAbout(name, id) }) };
  }

  #rollBack(chains: boolean): Answer {
    if (chains && !this.isBlock) throw problems.noBlock('ROLLBACK AND CHAIN');
    if (!this.isBlock) this.warn('25P01', 'there is no transaction in progress');
    this.#abort(chains);
    return done('ROLLBACK');
  }

  /** What a transaction that follows with AND CHAIN begins with. */
  #modes(): Modes {
    const { isReadOnlyTransaction: readOnly, isDeferrableTransaction: deferrable } = this;
    return { isolation: this.transaction?.isolation, readOnly, deferrable };
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
    this.#conclude(transaction);
  }

  /** @throws SqlError when it cannot be serialized; then all is undone. */
  #conclude(transaction: Transaction): bigint | undefined {
    const { server, settings, channels, objects } = this;
    // Its messages are in the order of the ids of their transactions.
    if (channels.hasUnsent) server.store.idOf(transaction);
    this.#forgetTransaction();
    try {
      const id = server.commit(transaction);
      settings.commit();
      objects.commit();
      server.deliver(this.pid, channels.commit());
      return id;
    } catch (error) {
      this.#undoSession();
      throw error;
    }
  }

  #abort(chains = false): void {
    const { transaction } = this;
    const again = this.#modes();
    this.#forgetTransaction();
    if (transaction === undefined) return;
    this.#undoSession();
    this.server.store.abort(transaction, this.server.world.epochMs);
    if (chains) this.#beginBlock(again);
  }

  #undoSession(): void {
    this.settings.abort();
    this.channels.abort();
    this.objects.abort();
  }

  /** What a savepoint that begins now needs of the session. */
  mark(): Mark {
    const { isReadOnlyTransaction } = this;
    const marks = [this.settings.mark(), this.channels.mark(), this.objects.mark()];
    const release = () => {
      this.isReadOnlyTransaction = isReadOnlyTransaction;
    };
    const undo = () => {
      release();
      for (const each of marks) each();
    };
    return { release, undo };
  }

  #forgetTransaction(): void {
    this.transaction = undefined;
    this.isBlock = false;
    this.hasFailed = false;
    this.isReadOnlyTransaction = false;
    this.isDeferrableTransaction = false;
    this.#portals.clear();
  }

  discardAll(): void {
    this.settings.resetAll();
    this.channels.want('unlisten', undefined);
    this.objects.clear();
    this.server.store.locks.releaseAllOf(this);
    this.#prepared.clear();
  }

  /** As PREPARE does it. */
  prepare(name: string, sql: string): void {
    if (this.#prepared.has(name)) throw problems.knownStatement(name);
    this.#prepared.set(name, { sql, command: this.#commandOf(sql), types: [] });
  }

  warn(state: string, message: string): void {
    this.remark('WARNING', state, message);
  }

  remark(severity: 'WARNING' | 'NOTICE', state: string, message: string): void {
    this.#say(say.problem('N', { S: severity, V: severity, C: state, M: message, R: 'simulated' }));
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
    const lockMs = this.settings.limit('lock_timeout');
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
    this.#wake?.();
  }

  #startTimer(): () => void {
    const ms = this.settings.limit('statement_timeout');
    if (ms === 0) return () => {};
    const { time } = this.server.world;
    const timer = time.after(ms, 'a statement timeout', () => this.#takeTooLong(), undefined);
    return () => time.cancel(timer);
  }

  /** Also while its client may ask for more rows: until the next Sync, it is one statement. */
  #takeTooLong(): void {
    const isReading = this.#endPortalTimer !== undefined && this.#interrupt === undefined;
    if (!isReading) {
      this.#break(problems.statementTimeout());
      return;
    }
    this.#endPortal();
    this.#failed(problems.statementTimeout());
    this.#skips = true;
  }

  #endPortal(): void {
    this.#endPortalTimer?.();
    this.#endPortalTimer = undefined;
  }

  #ready(): void {
    // What came too late for its statement is of no other.
    if (!(this.#pendingInterrupt instanceof Gone) && !this.#isFatal(this.#pendingInterrupt))
      this.#pendingInterrupt = undefined;
    if (this.#isFatal(this.#pendingInterrupt)) throw this.#pendingInterrupt;
    if (!this.isBlock) this.#sayNews();
    this.#reportChanges();
    const status = this.isBlock ? (this.hasFailed ? 'E' : 'T') : 'I';
    this.#setState(status === 'I' ? 'idle' : status === 'T' ? 'idle in transaction' : 'idle in transaction (aborted)');
    this.#say(say.ready(status));
    this.#flush();
    const isInTransaction = status !== 'I';
    const limit = isInTransaction ? 'idle_in_transaction_session_timeout' : 'idle_session_timeout';
    const idleMs = this.settings.limit(limit);
    if (idleMs === 0) return;
    const end = () => this.#end(isInTransaction ? problems.idle() : problems.idleSession());
    this.#idleTimer = this.server.world.time.after(idleMs, 'an idle timeout', end, undefined);
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

function problem({ severity, state, message, routine, named, context }: SqlError): Buffer {
  const { schema = 'public', table, column, constraint } = named;
  return say.problem('E', {
    S: severity,
    V: severity,
    C: state,
    M: message,
    ...(table !== undefined && { s: schema, t: table }),
    ...(column !== undefined && { c: column }),
    ...(constraint !== undefined && { n: constraint }),
    ...(context !== undefined && { W: context }),
    R: routine,
  });
}

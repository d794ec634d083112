import type { Statement } from '../driver/driver.js';
import type { Block } from './block.js';

interface Pending extends Statement {
  /** BEGIN, or a limit that is set with it. */
  readonly begins?: boolean;
  readonly savepoint?: string;
  readonly notice?: Notice;
  /** By which the transaction is looked up once this was done. */
  readonly commitKey?: string;
}

/** Whose message it is, and whether a savepoint has taken that work back. */
interface Notice {
  readonly block: Block;
  readonly isUndone: () => boolean;
}

/**
 * Commands not sent yet: BEGIN, settings, savepoints and messages wait here and ride with the next statement.
 * A savepoint that is taken back before then is never sent.
 */
export class PendingStatements {
  #waiting: readonly Pending[] = [];
  /** How many messages wait: a transaction without any does nothing for them. */
  #notices = 0;
  #mark: Pending | undefined;

  get statements(): readonly Statement[] {
    return this.#waiting;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get hasSavepoint(): boolean {
    return this.#waiting.some(({ savepoint }) => savepoint !== undefined);
  }

  /** The same list at another time; `restore` brings it back. */
  snapshot(): readonly Statement[] {
    return this.#waiting;
  }

  /** A message that came since then stays. */
  restore(snapshot: readonly Statement[]): void {
    const since = this.#notices === 0 ? [] : this.#waiting.filter(pending => !snapshot.includes(pending));
    this.#keep([...snapshot, ...since]);
    this.#forgetMark();
  }

  /** The key of the mark that waits. */
  get commitKey(): string | undefined {
    return this.#mark?.commitKey;
  }

  add(sql: string): void {
    this.#waiting = [...this.#waiting, { sql, recurs: true, begins: true }];
  }

  addStatement(statement: Statement): void {
    this.#waiting = [...this.#waiting, statement];
  }

  /** Waits right behind BEGIN: no savepoint takes it back, and no other role than that of the connection does it. */
  addMark(mark: Statement, commitKey: string): void {
    const rest = this.#waiting.findIndex(({ begins }) => begins !== true);
    const at = rest === -1 ? this.#waiting.length : rest;
    this.#mark = { ...mark, commitKey };
    this.#waiting = this.#waiting.toSpliced(at, 0, this.#mark);
  }

  addSavepoint(name: string): void {
    this.#waiting = [...this.#waiting, { sql: `savepoint ${name}`, savepoint: name, readAlone: true }];
  }

  get hasNotices(): boolean {
    return this.#notices > 0;
  }

  /** A message for those who listen, sent by the server with the commit. It undergoes the fate of the work that sends it. */
  addNotice(channel: string, payload: string, notice: Notice): void {
    this.#waiting = [...this.#waiting, { ...notify, parameters: [channel, payload], notice }];
    this.#notices += 1;
  }

  /** The last message, to be sent as a statement: no other follows it. Undefined when none of them is left. */
  takeLastNotice(): Statement | undefined {
    this.dropUndoneNotices();
    const last = this.#waiting.findLast(({ notice }) => notice !== undefined);
    if (last !== undefined) this.#keep(this.#waiting.filter(pending => pending !== last));
    return last;
  }

  dropUndoneNotices(): void {
    this.#keep(this.#waiting.filter(({ notice }) => notice?.isUndone() !== true));
  }

  /** The messages of `block` that wait behind the savepoint. */
  dropNoticesAfter(savepoint: string, block: Block): void {
    const at = this.#waiting.findIndex(pending => pending.savepoint === savepoint);
    this.#keep(this.#waiting.filter(({ notice }, index) => index < at || notice?.block !== block));
  }

  dropNotices(): void {
    this.#keep(this.#waiting.filter(({ notice }) => notice === undefined));
  }

  /** The server has done the first `count`. */
  done(count: number): void {
    if (this.#notices === 0) this.#waiting = this.#waiting.slice(count);
    else this.#keep(this.#waiting.slice(count));
    this.#forgetMark();
  }

  /** The savepoint still waits, so nothing has run since. */
  has(name: string): boolean {
    return this.#waiting.some(pending => pending.savepoint === name);
  }

  /** Forgets the savepoint, when it still waits. Those after it may be of other flows. */
  takeBack(name: string): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter(pending => pending.savepoint !== name);
    return this.#waiting.length < before;
  }

  #keep(waiting: readonly Pending[]): void {
    this.#waiting = waiting;
    this.#notices = waiting.filter(({ notice }) => notice !== undefined).length;
  }

  /** Once it does not wait any more. */
  #forgetMark(): void {
    if (this.#mark !== undefined && !this.#waiting.includes(this.#mark)) this.#mark = undefined;
  }
}

const text = 25;
const notify = { sql: 'select pg_notify($1, $2)', types: [text, text], recurs: true };

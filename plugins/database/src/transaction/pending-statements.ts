import type { Statement } from '../driver/driver.js';
import type { Block } from './block.js';

interface Pending {
  readonly sql: string;
  readonly savepoint?: string;
  readonly notice?: Notice;
  readonly parameters?: readonly unknown[];
  readonly types?: readonly number[];
  readonly readAlone?: boolean;
  readonly recurs?: boolean;
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
  }

  add(sql: string): void {
    this.#waiting = [...this.#waiting, { sql, recurs: true }];
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
}

const text = 25;
const notify = { sql: 'select pg_notify($1, $2)', types: [text, text], recurs: true };

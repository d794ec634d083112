import { SessionClosedError, WorkUndoneError } from '../errors/session-errors.js';
import { Block } from './block.js';
import { type BlockScope, currentScope } from './block-scope.js';

export interface Savepoint {
  /** As its maker calls it; two flows may use the same name. */
  readonly name: string;
  /** Unique in the transaction. */
  readonly id: string;
  readonly block: Block;
  /** The block begins with it. */
  readonly opens: boolean;
  /** How many statements had been sent before. */
  readonly after: number;
}

/**
 * The savepoints of one transaction, and whose work lies behind each. They are a stack of the server: one that is rolled
 * back to takes with it all that came later, from whatever flow. Each block that loses work so cannot succeed any more.
 */
export class Savepoints {
  readonly #unit = new Block();
  #stack: readonly Savepoint[] = [];
  #open: readonly Block[] = [this.#unit];
  #statements = 0;
  #made = 0;
  /** The statements that savepoints took away, as numbers: those after the first, up to the last. */
  #undone: readonly { readonly after: number; readonly until: number }[] = [];

  /** How many savepoints there have been. */
  get made(): number {
    return this.#made;
  }

  /** How many statements have been sent. */
  get sent(): number {
    return this.#statements;
  }

  /** A savepoint took away what the statement with this number did. */
  isUndone(statement: number): boolean {
    return this.#undone.some(({ after, until }) => after < statement && statement <= until);
  }

  /** A nested block has not ended. */
  get nested(): boolean {
    this.#forgetEnded();
    return this.#open.length > 1;
  }

  /** Why the unit cannot be committed, when a savepoint took work of it away. */
  get lost(): Error | undefined {
    return this.#unit.lost;
  }

  /** Whether the part of the calling code is undone by the time that it is asked. */
  partUndone(): () => boolean {
    const part = this.#current();
    return () => part.refusal !== undefined;
  }

  /** One more statement is sent from here. */
  note(): void {
    this.#statements += 1;
    const block = this.#current().nearestOpen ?? this.#unit;
    block.lastStatement = this.#statements;
  }

  /** The part of the calling code sends a message, which counts as a statement of it. */
  noteNotice(): { readonly block: Block; readonly isUndone: () => boolean } {
    this.note();
    return { block: this.#current(), isUndone: this.partUndone() };
  }

  /** @throws WorkUndoneError, SessionClosedError when the block of the calling code is not to go on. */
  assertUsable(): void {
    const { refusal } = this.#current();
    if (refusal === 'undone') throw new SessionClosedError();
    if (refusal !== undefined) throw refusal;
  }

  add(name: string): Savepoint {
    const scope = currentScope();
    const opens = scope !== undefined && scope.opened === undefined;
    const block = opens ? new Block(this.#current(), scope.at) : this.#current();
    if (opens) {
      scope.opened = { block, by: this };
      this.#forgetEnded();
      this.#open = [...this.#open, block];
    }
    this.#made += 1;
    const savepoint = { name, id: `"keelson_${this.#made}"`, block, opens, after: this.#statements };
    this.#stack = [...this.#stack, savepoint];
    return savepoint;
  }

  /** The one that the calling code means; undefined when another savepoint has taken it away. */
  find(name: string): Savepoint | undefined {
    const block = this.#current();
    const named = this.#stack.filter(savepoint => savepoint.name === name);
    return (
      named.findLast(savepoint => savepoint.block === block) ?? (block.lost === undefined ? named.at(-1) : undefined)
    );
  }

  /** Another flow still needs a savepoint that would be released with this one. */
  isNeeded(savepoint: Savepoint): boolean {
    return this.#after(savepoint).some(({ block }) => block !== savepoint.block && block.state === 'open');
  }

  released(savepoint: Savepoint): void {
    this.#stack = this.#stack.slice(0, this.#stack.indexOf(savepoint));
  }

  /** Everything after it is undone, and so is its block when it was begun with it. */
  rolledBack(savepoint: Savepoint): void {
    const taken = this.#after(savepoint);
    this.#stack = this.#stack.slice(0, this.#stack.indexOf(savepoint) + 1);
    this.#undone = [
      ...this.#undone.filter(({ after }) => after < savepoint.after),
      { after: savepoint.after, until: this.#statements },
    ];
    this.#forgetEnded();
    let why: Error | undefined;
    for (const block of this.#open) {
      if (block === savepoint.block) continue;
      const isTaken = block.lastStatement > savepoint.after || taken.some(each => each.block === block);
      if (!isTaken) continue;
      why ??= new WorkUndoneError(savepoint.block.at());
      block.lose(why);
    }
  }

  /** The block of the calling code cannot be kept any more; it can be undone. */
  lose(why: Error): void {
    (this.#current().nearestOpen ?? this.#unit).lose(why);
  }

  /** The block of the calling code has lost all its work, and its caller hears so: the block around it may go on. */
  endLost(): void {
    const block = this.#current();
    if (block !== this.#unit && block.lost !== undefined) block.end('undone');
  }

  /** It was never sent, and never will be. */
  forget(savepoint: Savepoint): void {
    this.#stack = this.#stack.filter(each => each !== savepoint);
  }

  #after(savepoint: Savepoint): readonly Savepoint[] {
    return this.#stack.slice(this.#stack.indexOf(savepoint) + 1);
  }

  #forgetEnded(): void {
    if (this.#open.some(({ state }) => state !== 'open')) this.#open = this.#open.filter(each => each.state === 'open');
  }

  #current(): Block {
    let scope: BlockScope | undefined = currentScope();
    while (scope !== undefined && scope.opened?.by !== this) scope = scope.outer;
    return scope?.opened?.block ?? this.#unit;
  }
}

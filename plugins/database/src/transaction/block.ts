/**
 * Work of one call tree that is stored or undone as a whole: the unit itself, or what is nested in it. Statements belong to
 * the innermost block of the code that sends them.
 */
export class Block {
  readonly outer: Block | undefined;
  /** The code path that began it. */
  readonly at: () => string | undefined;
  /** While open, more may run in it. Work that is `kept` is the outer block's from then on. */
  state: 'open' | 'kept' | 'undone' = 'open';
  /** When its last statement was sent, as a number that grows with each statement of the transaction; 0 for never. */
  lastStatement = 0;
  /** Set when a savepoint of another flow took work of it away: it cannot succeed any more. */
  lost: Error | undefined;

  constructor(outer?: Block, at: () => string | undefined = () => undefined) {
    this.outer = outer;
    this.at = at;
  }

  /** Its outcome is decided: the block around it answers for the work that is kept. */
  end(state: 'kept' | 'undone'): void {
    if (this.state !== 'open') return;
    this.state = state;
    const heir = this.nearestOpen;
    if (state === 'undone' || heir === undefined) return;
    heir.lastStatement = Math.max(heir.lastStatement, this.lastStatement);
    if (this.lost !== undefined) heir.lose(this.lost);
  }

  /** The first reason counts. */
  lose(why: Error): void {
    this.lost ??= why;
  }

  /** Itself, or the innermost one around it that has not ended. */
  get nearestOpen(): Block | undefined {
    return this.state === 'open' ? this : this.outer?.nearestOpen;
  }

  /** It, or one around it, was undone or has lost work: nothing that runs in it now could be kept as it says. */
  get refusal(): 'undone' | Error | undefined {
    if (this.state === 'undone') return 'undone';
    return (this.state === 'open' ? this.lost : undefined) ?? this.outer?.refusal;
  }
}

import type { Statement } from '@keelson/database';
import type { RowShape } from './row-shape.js';

/** A statement that the server keeps parsed under a name. */
export interface Prepared {
  /** Empty while the server has none. */
  name: string;
  /** What its rows look like; undefined until the server has described them. */
  shape: RowShape | undefined;
  uses: number;
}

/** How often prepared statements have become stale on any connection of a pool. */
export interface Staleness {
  count: number;
}

/** A longer text is not worth its memory on both sides. */
const longestText = 16_384;

/**
 * The prepared statements of one connection, the least recently used forgotten first. A text is prepared when it comes
 * the second time: one that comes once would only take the place of others.
 */
export class PreparedStatements {
  readonly #most: number;
  readonly #staleness: Staleness;
  readonly #known = new Map<string, Prepared>();
  /** Names that the server still has. */
  #closing: string[] = [];
  #named = 0;
  #seenStale: number;

  /** @param most how many are kept; 0 prepares none. */
  constructor(most: number, staleness: Staleness) {
    this.#most = most;
    this.#staleness = staleness;
    this.#seenStale = staleness.count;
  }

  /** To be called before each batch. Gives the names that the server is to forget. */
  takeClosing(): readonly string[] {
    if (this.#seenStale !== this.#staleness.count) this.#forgetAll();
    const closing = this.#closing;
    if (closing.length > 0) this.#closing = [];
    return closing;
  }

  /** The statement, with a name when it is to be prepared or is so already; undefined for one that is sent without. */
  use(statement: Statement): Prepared | undefined {
    if (statement.recurs !== true || this.#most === 0 || statement.sql.length > longestText) return undefined;
    const key = keyOf(statement);
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { name: '', shape: undefined, uses: 1 });
      if (this.#known.size > this.#most) this.#forgetOldest();
      return undefined;
    }
    known.uses += 1;
    // The order matters only when something is to be forgotten soon.
    if (this.#known.size > this.#most / 2) {
      this.#known.delete(key);
      this.#known.set(key, known);
    }
    return known;
  }

  /** A name for one that the server is about to parse. */
  name(prepared: Prepared): string {
    this.#named += 1;
    prepared.name = `keelson_${this.#named}`;
    return prepared.name;
  }

  /** Whether the server has parsed it is not known. */
  unname(prepared: Prepared): void {
    if (prepared.name !== '') this.#closing.push(prepared.name);
    prepared.name = '';
    prepared.shape = undefined;
  }

  /** The server has none of them any more, or wants none of them any more. */
  becameStale(): void {
    this.#staleness.count += 1;
  }

  #forgetAll(): void {
    this.#seenStale = this.#staleness.count;
    for (const prepared of this.#known.values()) this.unname(prepared);
  }

  #forgetOldest(): void {
    const [oldest] = this.#known;
    if (oldest === undefined) return;
    const [key, prepared] = oldest;
    this.unname(prepared);
    this.#known.delete(key);
  }
}

function keyOf({ sql, types }: Statement): string {
  return types === undefined ? sql : `${types.join()} ${sql}`;
}

import { randomBytes } from 'node:crypto';
import type { Clock } from '@keelson/core';
import type { Statement } from '@keelson/database';
import { keepsValues } from './parameter-types.js';
import type { RowShape } from './row-shape.js';

/** A statement that the server keeps parsed under a name. */
export interface Prepared {
  /** Empty while the server has none. */
  name: string;
  /** What its rows look like; undefined until the server has described them. */
  shape: RowShape | undefined;
  /** When the server parsed it, by the clock of the connection. */
  parsedAt: number;
  /** Its parameters would keep a type that cuts values off (`keepsValues`): it is parsed each time. */
  isTyped: boolean;
}

/**
 * Changes what a name means, for its transaction and perhaps for this connection alone: a temporary table hides another one.
 * The server notices neither that, nor that a rollback takes a change back, in time for a statement that it has prepared.
 */
const definition =
  /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:create|drop|alter|do|select\b[^;]{0,2000}?\binto)\b/i;

/** How often prepared statements have become stale on any connection of a pool. */
export interface Staleness {
  count: number;
  /**
   * A pooler in between keeps statements by their text, for all its clients: what is stale there is so under each name. From
   * then on texts get this end, which is another one each time. Undefined where the name alone counts.
   */
  textEnd?: string;
}

export interface PreparedStatementsParts {
  /** How many are kept; 0 prepares none. */
  readonly most: number;
  readonly clock: Clock;
  readonly staleness: Staleness;
  /** That of the session, when the server reports it. */
  readonly timeZone: () => string | undefined;
}

/** Of the names that statements are given. */
export const namePrefix = 'keelson_';

/** A longer text is not worth its memory on both sides. */
const longestText = 16_384;

/** The server keeps the types of parameters that it found at the first parse, whatever becomes of the columns. */
const parsedAgainAfterMs = 30_000;

/**
 * The prepared statements of one connection, the least recently used forgotten first. A text is prepared when it comes
 * the second time: one that comes once would only take the place of others.
 */
export class PreparedStatements {
  readonly #parts: PreparedStatementsParts;
  readonly #known = new Map<string, Prepared>();
  /** Names that the server still has. */
  #closing: string[] = [];
  #named = 0;
  #seenStale: number;
  /** A statement of the running transaction changes what names mean. */
  #changing = false;

  constructor(parts: PreparedStatementsParts) {
    this.#parts = parts;
    this.#seenStale = parts.staleness.count;
  }

  /** `statements` are about to be sent; `isIdle` when no transaction runs. */
  follow(statements: readonly Statement[], isIdle: boolean): void {
    if (isIdle) this.#changing = false;
    if (this.#changing || !statements.some(({ sql }) => definition.test(sql))) return;
    this.#changing = true;
    this.#forgetAll();
  }

  /** To be called before each batch. Gives the names that the server is to forget. */
  takeClosing(): readonly string[] {
    if (this.#seenStale !== this.#parts.staleness.count) this.#forgetAll();
    const closing = this.#closing;
    if (closing.length > 0) this.#closing = [];
    return closing;
  }

  /** The statement, with a name when it is to be prepared or is so already; undefined for one that is sent without. */
  use(statement: Statement): Prepared | undefined {
    if (statement.recurs !== true || this.#changing || this.#parts.most === 0) return undefined;
    if (statement.sql.length > longestText) return undefined;
    const key = keyOf(statement);
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { name: '', shape: undefined, parsedAt: 0, isTyped: false });
      if (this.#known.size > this.#parts.most) this.#forgetOldest();
      return undefined;
    }
    // The order matters only when something is to be forgotten soon.
    if (this.#known.size > this.#parts.most / 2) {
      this.#known.delete(key);
      this.#known.set(key, known);
    }
    const isKeptByName = this.#parts.staleness.textEnd === undefined;
    if (isKeptByName && known.name !== '' && this.#parts.clock.now() - known.parsedAt > parsedAgainAfterMs)
      this.unname(known);
    return known.isTyped ? undefined : known;
  }

  /** What the server is to parse for `sql`. */
  text(sql: string): string {
    return sql + (this.#parts.staleness.textEnd ?? '');
  }

  /** A name for one that the server is about to parse. */
  name(prepared: Prepared): string {
    this.#named += 1;
    prepared.name = `${namePrefix}${this.#named}`;
    prepared.parsedAt = this.#parts.clock.now();
    return prepared.name;
  }

  /** The server has found `types` for its parameters, those that were `given` among them (0: not given). */
  described(prepared: Prepared, types: readonly number[], given: readonly number[]): void {
    const timeZone = this.#parts.timeZone();
    prepared.isTyped = types.some((type, index) => (given[index] ?? 0) === 0 && !keepsValues(type, timeZone));
    if (prepared.isTyped) this.unname(prepared);
  }

  /** Whether the server has parsed it is not known. */
  unname(prepared: Prepared): void {
    if (prepared.name !== '') this.#closing.push(prepared.name);
    prepared.name = '';
    prepared.shape = undefined;
  }

  /** The server has none of them any more, or wants none of them any more. */
  becameStale(): void {
    this.#parts.staleness.count += 1;
    this.#changeText();
  }

  /** The session has removed them from its connection: other connections keep theirs. */
  wereRemoved(): void {
    this.#forgetAll();
  }

  /** The server might not refuse it if it parsed it now. */
  becameOutdated(prepared: Prepared): void {
    this.unname(prepared);
    this.#changeText();
  }

  #changeText(): void {
    const { staleness } = this.#parts;
    if (staleness.textEnd !== undefined) staleness.textEnd = `\n/* ${randomBytes(4).toString('hex')} */`;
  }

  #forgetAll(): void {
    this.#seenStale = this.#parts.staleness.count;
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

import type { Backend } from './backend.ts';
import { SqlError } from './sql-error.ts';
import type { Words } from './words.ts';

/** Names that a transaction adds: they stay when it is committed, and a savepoint undoes them. */
class Names {
  #committed: ReadonlySet<string> = new Set();
  #now: ReadonlySet<string> = this.#committed;

  has(name: string): boolean {
    return this.#now.has(name);
  }

  add(name: string): void {
    this.#now = new Set([...this.#now, name]);
  }

  mark(): () => void {
    const now = this.#now;
    return () => {
      this.#now = now;
    };
  }

  commit(): void {
    this.#committed = this.#now;
  }

  abort(): void {
    this.#now = this.#committed;
  }

  clear(): void {
    this.#now = new Set();
    this.#committed = this.#now;
  }

  *rows(column: string): Iterable<Readonly<Record<string, string>>> {
    for (const name of this.#now) yield { [column]: name };
  }
}

/** What a session makes for itself alone, and what ends with it at the latest. */
export class SessionObjects {
  readonly tables = new Names();
  readonly cursors = new Names();

  mark(): () => void {
    const [tables, cursors] = [this.tables.mark(), this.cursors.mark()];
    return () => {
      tables();
      cursors();
    };
  }

  commit(): void {
    this.tables.commit();
    this.cursors.commit();
  }

  abort(): void {
    this.tables.abort();
    this.cursors.abort();
  }

  clear(): void {
    this.tables.clear();
    this.cursors.clear();
  }
}

export type ObjectStatement =
  | { readonly does: 'create temp table'; readonly name: string }
  | { readonly does: 'declare'; readonly name: string }
  | { readonly does: 'prepare'; readonly name: string; readonly sql: string };

/** Undefined for another statement. A cursor is held, but nothing is read from it. */
export function readObject(words: Words): ObjectStatement | undefined {
  if (words.skips('create', 'temp', 'table')) {
    const name = words.name();
    words.rest();
    return { does: 'create temp table', name };
  }
  if (words.skips('declare')) {
    const name = words.name();
    words.expect('cursor', 'with', 'hold', 'for');
    words.rest();
    return { does: 'declare', name };
  }
  if (!words.skips('prepare')) return undefined;
  const name = words.name();
  words.expect('as');
  return { does: 'prepare', name, sql: words.rest() };
}

export function executeObject(on: Backend, statement: ObjectStatement): string {
  const { name } = statement;
  switch (statement.does) {
    case 'create temp table':
      if (on.objects.tables.has(name)) throw new SqlError('42P07', `relation "${name}" already exists`);
      on.objects.tables.add(name);
      return 'CREATE TABLE';
    case 'declare':
      if (on.objects.cursors.has(name)) throw new SqlError('42P03', `cursor "${name}" already exists`);
      on.objects.cursors.add(name);
      return 'DECLARE CURSOR';
    case 'prepare':
      on.prepare(name, statement.sql);
      return 'PREPARE';
  }
}

import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs';

/** What became of the writes, by their keys. */
export interface LedgerReport {
  /** Writes that were begun. */
  readonly attempted: number;
  readonly acknowledged: number;
  /** Acknowledged, and not stored: must be empty. */
  readonly lost: string[];
  /** Stored more than once: must be empty. */
  readonly duplicated: string[];
  /** Refused with certainty (a rollback, a 4xx, a "not done"), and stored all the same: must be empty. */
  readonly refusedButStored: string[];
  /** Neither acknowledged nor refused, and stored: allowed, the answer was lost on its way. */
  readonly unacknowledgedButStored: string[];
  /** Stored, and never begun: the test itself is wrong. */
  readonly unknown: string[];
}

type Outcome = 'attempted' | 'acknowledged' | 'refused';

/**
 * An append-only record, outside the database, of what callers heard about each write. Each entry is on the file
 * before the call returns, so that several processes may share a file and a killed one loses none.
 */
export class Ledger implements Disposable {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'a');
  }

  /** Before the write is asked for. `key` is stored with the row; one key for one write, whatever its retries. */
  attempted(key: string): void {
    this.#append('attempted', key);
  }

  /** The caller heard that the write is done. */
  acknowledged(key: string): void {
    this.#append('acknowledged', key);
  }

  /** The caller heard that the write is certainly not done. */
  refused(key: string): void {
    this.#append('refused', key);
  }

  /** Compares with the keys of all rows in the table, duplicates included. */
  compare(stored: Iterable<string>): LedgerReport {
    const entries = this.#read();
    const keysOf = (outcome: Outcome) => new Set(entries.filter(([what]) => what === outcome).map(([, key]) => key));
    const attempted = keysOf('attempted');
    const acknowledged = keysOf('acknowledged');
    const refused = keysOf('refused');
    const counts = new Map<string, number>();
    for (const key of stored) counts.set(key, (counts.get(key) ?? 0) + 1);
    const storedKeys = [...counts.keys()];
    return {
      attempted: attempted.size,
      acknowledged: acknowledged.size,
      lost: [...acknowledged].filter(key => !counts.has(key)),
      duplicated: storedKeys.filter(key => counts.get(key) !== 1),
      refusedButStored: storedKeys.filter(key => refused.has(key)),
      unacknowledgedButStored: storedKeys.filter(
        key => attempted.has(key) && !acknowledged.has(key) && !refused.has(key),
      ),
      unknown: storedKeys.filter(key => !attempted.has(key)),
    };
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #append(outcome: Outcome, key: string): void {
    appendFileSync(this.#file, `${outcome} ${JSON.stringify(key)}\n`);
  }

  #read(): [Outcome, string][] {
    const lines = readFileSync(this.path, 'utf8').split('\n').slice(0, -1);
    return lines.map(line => {
      const space = line.indexOf(' ');
      return [outcomeOf(line.slice(0, space)), String(JSON.parse(line.slice(space + 1)))];
    });
  }
}

function outcomeOf(word: string): Outcome {
  if (word === 'attempted' || word === 'acknowledged' || word === 'refused') return word;
  throw new Error(`Not an entry of a ledger: ${word}`);
}

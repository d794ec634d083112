import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AmbiguousCommitError, type DatabaseService } from '@keelson/database';
import { Ledger } from '@keelson/test-support/ledger';
import { Author } from '@keelson/test-support/sample-model';
import { expect } from 'vitest';
import type { Found } from './topology.js';

const lanes = 8;
/** Of each write and each read; none may be refused before. */
const timeoutMs = 10_000;

export interface MovingWrites {
  readonly database: DatabaseService;
  /** The keys of all writes that are stored, from the server that is the primary at the end. */
  readonly stored: () => Promise<readonly string[]>;
}

/**
 * Writes and reads, in lanes side by side, from before `move` begins until after it has ended. Throws when one of them was
 * refused, when a write was refused and is stored all the same, and when nothing was done after the move.
 */
export async function writeDuring(
  { database, stored }: MovingWrites,
  move: () => Promise<unknown>,
): Promise<Found & { readonly longestMs: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-ledger-'));
  using ledger = new Ledger(join(folder, 'ledger'));
  const refusals: unknown[] = [];
  let isOver = false;
  let after = 0;
  let longestMs = 0;
  const timed = async (work: () => Promise<unknown>) => {
    const beganAt = performance.now();
    await work();
    longestMs = Math.max(longestMs, performance.now() - beganAt);
  };
  const write = async (key: string) => {
    ledger.attempted(key);
    try {
      await database.session(em => em.insert(Author, { email: key }), { timeoutMs });
      ledger.acknowledged(key);
      if (isOver) after += 1;
    } catch (error) {
      refusals.push(error);
      if (!(error instanceof AmbiguousCommitError)) ledger.refused(key);
    }
  };
  const read = () => database.read(em => em.count(Author), { timeoutMs }).catch(error => refusals.push(error));
  const lane = async (number: number) => {
    for (let at = 0; !isOver || after < lanes * 5; at += 1) {
      await timed(() => write(`${number}-${at}`));
      await timed(read);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  try {
    await move();
  } catch (error) {
    // Nothing more is wanted of the lanes, and they must not outlive the ledger.
    after = Number.POSITIVE_INFINITY;
    throw error;
  } finally {
    isOver = true;
    await all;
  }
  const report = ledger.compare(await stored());
  rmSync(folder, { recursive: true });
  expect(refusals).toEqual([]);
  expect(report).toMatchObject({ refusedButStored: [], unknown: [] });
  const { attempted: requests, lost, duplicated } = report;
  return { requests, failed: refusals.length, lost: lost.length, doubled: duplicated.length, longestMs };
}

/** No connection that may be lent to a write leads to a server that takes none. */
export async function expectWritable(database: DatabaseService): Promise<void> {
  const sessions = Array.from({ length: 10 }, () =>
    database.session(em => em.execute<{ standby: boolean }[]>('select pg_is_in_recovery() as standby, pg_sleep(0.05)')),
  );
  const answers = await Promise.all(sessions);
  expect(answers.map(([row]) => row?.standby)).toEqual(answers.map(() => false));
}

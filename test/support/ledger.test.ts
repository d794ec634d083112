import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Ledger } from './ledger.js';

describe('Ledger', () => {
  let directory: string;
  let ledger: Ledger;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-ledger-'));
    ledger = new Ledger(join(directory, 'ledger'));
  });
  afterEach(() => {
    ledger[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  test('finds nothing wrong when what was acknowledged is what is stored', () => {
    for (const key of ['a', 'b']) {
      ledger.attempted(key);
      ledger.acknowledged(key);
    }
    expect(ledger.compare(['b', 'a'])).toEqual({
      attempted: 2,
      acknowledged: 2,
      lost: [],
      duplicated: [],
      refusedButStored: [],
      unacknowledgedButStored: [],
      unknown: [],
    });
  });

  test('names each write that went wrong, by how', () => {
    for (const key of ['lost', 'twice', 'refused', 'silent', 'failed']) ledger.attempted(key);
    for (const key of ['lost', 'twice']) ledger.acknowledged(key);
    for (const key of ['refused', 'failed']) ledger.refused(key);
    expect(ledger.compare(['twice', 'twice', 'refused', 'silent', 'stranger'])).toEqual({
      attempted: 5,
      acknowledged: 2,
      lost: ['lost'],
      duplicated: ['twice'],
      refusedButStored: ['refused'],
      unacknowledgedButStored: ['silent'],
      unknown: ['stranger'],
    });
  });

  test('a write that was retried and acknowledged counts once', () => {
    ledger.attempted('a');
    ledger.attempted('a');
    ledger.acknowledged('a');
    expect(ledger.compare(['a'])).toMatchObject({ attempted: 1, acknowledged: 1, unacknowledgedButStored: [] });
  });

  test('several writers share a file, and keys may hold any character', () => {
    const other = new Ledger(ledger.path);
    ledger.attempted('one\ntwo "three"');
    other.acknowledged('one\ntwo "three"');
    other[Symbol.dispose]();
    expect(ledger.compare(['one\ntwo "three"'])).toMatchObject({ acknowledged: 1, lost: [], unknown: [] });
  });
});

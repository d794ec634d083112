import { Deadline, silentLogger } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { scriptedDriver } from '@keelson/test-support/scripted-driver';
import { describe, expect, test } from 'vitest';
import type { Statement } from '../driver/driver.js';
import type { DatabaseCapability } from '../driver/engine.js';
import type { CommitProofChoice } from './choices.js';
import { ChosenProof } from './chosen-proof.js';
import { TokenProof } from './token-proof.js';

const tokens = { tableName: 'tokens', keepMs: 100_000, cleanEveryMs: 1_000 };
const never = new AbortController().signal;

const refusal = (code: string) => Object.assign(new Error('refused'), { code, severity: 'ERROR' });

/** A proof whose looks are answered by `answer`. */
const setUp = (answer: () => string) => {
  const clock = new FakeClock();
  const asked: (readonly Statement[])[] = [];
  const ends: (boolean | undefined)[] = [];
  const driver = scriptedDriver({
    capabilities: new Set(['server-timeouts']),
    async askApart(statements, _signal, { endsIdle } = {}) {
      asked.push(statements);
      ends.push(endsIdle);
      return statements.map(() => ({ rows: [{ outcome: answer() }], command: 'INSERT', rowCount: 1 }));
    },
  });
  const proof = new TokenProof({ driver, clock, logger: silentLogger, ...tokens });
  return { clock, asked, ends, proof };
};

describe('a token', () => {
  test('is written by one statement, and looked up by another that names the same token', async () => {
    const { asked, proof } = setUp(() => 'committed');
    const { statement, key = '' } = proof.mark();
    expect(statement).toMatchObject({ recurs: true, parameters: [key.split('@')[0]] });
    expect(await proof.outcome(key, never, 0)).toBe('committed');
    expect(asked[0]?.[1]?.parameters).toEqual(statement.parameters);
    expect(proof.mark().key).not.toBe(key);
  });

  test('that is missing proves that nothing is stored for half as long as tokens are kept, and a found one for ever', async () => {
    for (const [said, later] of [
      ['aborted', 'unknown'],
      ['committed', 'committed'],
    ] as const) {
      const { clock, proof } = setUp(() => said);
      const { key = '' } = proof.mark();
      await clock.advance(49_999);
      expect(await proof.outcome(key, never, 0)).toBe(said);
      await clock.advance(1);
      expect(await proof.outcome(key, never, 0)).toBe(later);
    }
  });

  test('of a transaction that has not ended is in progress; any other failure is none of an answer', async () => {
    const { proof } = setUp(() => {
      throw refusal('55P03');
    });
    expect(await proof.outcome(proof.mark().key ?? '', never, 0)).toBe('in progress');
    const readOnly = setUp(() => {
      throw refusal('25006');
    }).proof;
    await expect(readOnly.outcome(readOnly.mark().key ?? '', never, 0)).rejects.toMatchObject({ code: '25006' });
  });

  test('is waited for longer after a second, and what it waits for is ended then', async () => {
    const { asked, ends, proof } = setUp(() => 'committed');
    const { key = '' } = proof.mark();
    await proof.outcome(key, never, 1_000);
    await proof.outcome(key, never, 1_001);
    expect(asked.map(([limit]) => limit?.sql.includes(`'500'`))).toEqual([false, true]);
    expect(ends).toEqual([false, true]);
  });
});

describe('the proof that is chosen', () => {
  const chosen = (choice: CommitProofChoice, ...capabilities: readonly DatabaseCapability[]) => {
    const clock = new FakeClock();
    const driver = scriptedDriver({ capabilities: new Set(capabilities) });
    const proof = new ChosenProof({ driver, clock, logger: silentLogger, choice, tokens });
    return { proof, prepared: proof.prepare(Deadline.after(1_000, clock), never, { asIs: false }) };
  };

  test('is the transaction id where the server can be asked for it, and it stands for all', async () => {
    const { proof, prepared } = chosen('auto', 'commit-lookup', 'write-implies-id', 'multi-connection');
    await prepared;
    expect([proof.name, proof.isWhole]).toEqual(['transaction-id', true]);
  });

  test('is none for an embedded database, and where the configuration says so', async () => {
    for (const { proof, prepared } of [chosen('auto', 'stream'), chosen('none', 'commit-lookup', 'multi-connection')]) {
      await prepared;
      expect([proof.name, proof.mark()]).toEqual(['none', undefined]);
    }
  });

  test('is a token on any other server', async () => {
    for (const capabilities of [['multi-connection'], ['multi-connection', 'commit-lookup']] as const) {
      const { prepared } = chosen('auto', ...capabilities);
      // It is about to try its table.
      await expect(prepared).rejects.toThrow('the test did not expect this of the driver');
    }
  });

  test('is refused where it is the transaction id and the server cannot be asked', async () => {
    await expect(chosen('transaction-id', 'multi-connection').prepared).rejects.toMatchObject({
      code: 'DATABASE_UNSUPPORTED',
      hint: 'Set commitProof to token or auto.',
      facts: { capability: 'commit-lookup' },
    });
  });
});

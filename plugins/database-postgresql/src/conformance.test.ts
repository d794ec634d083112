import { databaseConformance } from '@keelson/database/testing';
import { describe, expect, test } from 'vitest';
import { harnessOf } from './conformance.fixture.js';

describe.each(['auto', 'token'] as const)(
  'PostgreSQL keeps the promises of a database driver, proof: %s',
  commitProof => {
    for (const { name, run, lacks } of databaseConformance(harnessOf({ options: { commitProof } }))) {
      test(name, async () => {
        expect(await run()).toBe(lacks === undefined ? 'passed' : 'not-applicable');
      });
    }
  },
);

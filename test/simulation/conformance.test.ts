import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { databaseConformance } from '@keelson/database/testing';
import { beforeAll, describe, expect, test } from 'vitest';

const child = fileURLToPath(new URL('./fidelity/conformance-child.ts', import.meta.url));
const cases = databaseConformance(() => {
  throw new Error('the cases run in a process that simulates');
});

interface Seen {
  readonly outcome: string;
  /** What the simulation found wrong, such as a statement that it does not know. */
  readonly unsound: readonly string[];
}

// The driver runs the same cases on a real server, in plugins/database-postgresql/src/conformance.test.ts.
describe('the driver on the simulated server keeps the promises of a database driver', () => {
  let seen: Readonly<Record<string, Seen>>;

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [child], { maxBuffer: 64 * 1024 * 1024 });
    const { seen: all, isDone } = JSON.parse(stdout);
    expect(isDone).toBe(true);
    seen = all;
  }, 240_000);

  test.each([...cases])('$name', ({ name, lacks }) => {
    expect(seen[name]).toEqual({ outcome: lacks === undefined ? 'passed' : 'not-applicable', unsound: [] });
  });
});

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { edited, editsOf } from './mutations/apply.ts';
import { mutations } from './mutations/mutations.ts';
import { readCorpus } from './reached/corpus.ts';

const program = fileURLToPath(new URL('./run.ts', import.meta.url));
const limitMs = 240_000;

/** How long fresh seeds are run; by default not at all, so that the result of a test run is the same again. */
const freshSeconds = process.env.SIMULATE_SECONDS;

/** `npm run simulate` with these words: what it printed, and how it ended. */
function simulate(...words: readonly string[]): Promise<{ readonly printed: string; readonly code: number }> {
  return new Promise(resolve => {
    execFile(process.execPath, [program, ...words], { timeout: limitMs }, (error, stdout, stderr) => {
      resolve({ printed: stdout + stderr, code: error === null ? 0 : Number(error.code ?? 1) });
    });
  });
}

describe('the simulated world', () => {
  test('holds every property with the seeds that were kept', { timeout: limitMs }, async () => {
    expect(readCorpus().length).toBeGreaterThan(0);
    const { printed, code } = await simulate('--corpus');
    expect(code, printed).toBe(0);
  });

  // One process: other tests may run at the same time.
  test.skipIf(freshSeconds === undefined)('holds every property with fresh seeds', { timeout: limitMs }, async () => {
    const { printed, code } = await simulate('--seconds', freshSeconds ?? '60', '--processes', '1');
    console.log(printed);
    expect(code, printed).toBe(0);
    expect(printed).toMatch(/^seeds from (\d+) on \(again: npm run simulate -- --from \1\)$/m);
  });

  test('is the same for the same seed', { timeout: limitMs }, async () => {
    const { printed, code } = await simulate('--from', '7', '--seeds', '2', '--twice');
    expect(code, printed).toBe(0);
  });

  test('shows a planted bug, and prints its story', { timeout: limitMs }, async () => {
    const { printed, code } = await simulate(
      '--seed',
      '4',
      '--mutation',
      'an unanswered COMMIT counts as done',
      '--trace',
    );
    expect(code).toBe(1);
    expect(printed).toMatch(/client \d+ asks service \d+ to .* u\d+/);
    expect(printed).toContain('no acknowledged unit is lost');
    expect(printed).toContain('replay: npm run simulate -- --seed 4');
  });

  test('has a place in the built code for each planted bug', () => {
    const built = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    const lost = mutations.filter(mutation => {
      try {
        return editsOf(mutation).some(edit => edited(built(edit.file), edit) === '');
      } catch {
        return true;
      }
    });
    expect(lost.map(({ name }) => name)).toEqual([]);
  });
});

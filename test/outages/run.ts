// `npm run outages`: the long form of the suite, once, or with `--repeat N` so many times in a row; with
// `--commit-proof token` on tokens, which leaves the page as it is. What else is given goes to vitest.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { proofVariable } from './proof.ts';
import { isSound, type Run, tellAll, tellRun } from './repeated.ts';
import { readReport, reportVariable } from './report.ts';
import { writeInto } from './table.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = join(root, 'docs/outages.md');
/** Of one run; it takes a third of that. */
const runTimeoutMs = 600_000;
const killAfterMs = 15_000;

const { value: proof, rest } = taken(process.argv.slice(2), '--commit-proof');
if (proof !== undefined) process.env[proofVariable] = proof;
const { repeat, others } = readWords(rest);
process.exitCode = repeat === undefined ? await once(others) : await inARow(repeat, others);

/** The value of an option, `--name value` or `--name=value`, and the other words. */
function taken(words: readonly string[], name: string): { value: string | undefined; rest: readonly string[] } {
  const at = words.findIndex(word => word === name || word.startsWith(`${name}=`));
  if (at === -1) return { value: undefined, rest: words };
  const isApart = words[at] === name;
  const value = (isApart ? words[at + 1] : words[at]?.slice(name.length + 1)) ?? '';
  return { value, rest: words.toSpliced(at, isApart ? 2 : 1) };
}

function readWords(words: readonly string[]): { repeat: number | undefined; others: readonly string[] } {
  const { value, rest } = taken(words, '--repeat');
  if (value === undefined) return { repeat: undefined, others: words };
  const repeat = Number(value);
  if (!Number.isInteger(repeat) || repeat < 1) {
    console.error('--repeat takes how many times to run the suite: a whole number from 1.');
    process.exit(2);
  }
  return { repeat, others: rest };
}

async function once(words: readonly string[]): Promise<number> {
  const { code } = await runSuite(words, 'inherit', {});
  return code ?? 1;
}

/** Ends with the first run in which something does not hold. */
async function inARow(repeat: number, words: readonly string[]): Promise<number> {
  const runs: Run[] = [];
  while (runs.length < repeat) {
    const { run, output } = await runAndJudge(runs.length + 1, words);
    runs.push(run);
    console.log(tellRun(run));
    if (isSound(run)) continue;
    console.log(`\nWhat the run has printed:\n\n${output}`);
    return 1;
  }
  console.log(`\n${tellAll(runs)}`);
  // Some of the outages are not the suite.
  if (words.length === 0 && proof === undefined) writeInto(page, 'repeated', tellAll(runs));
  return 0;
}

async function runAndJudge(number: number, words: readonly string[]): Promise<{ run: Run; output: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-outages-run-'));
  const file = join(directory, 'report.json');
  const startedAtMs = performance.now();
  try {
    const { code, output, isTooLong } = await runSuite(words, 'pipe', { [reportVariable]: file });
    const trouble = isTooLong
      ? `not done after ${runTimeoutMs / 1_000} s`
      : code === 0
        ? undefined
        : `exit code ${code}`;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    return { run: { number, seconds, report: readReport(file), trouble }, output };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly isTooLong: boolean;
}

function runSuite(words: readonly string[], stdio: 'inherit' | 'pipe', variables: NodeJS.ProcessEnv): Promise<Ended> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', '--config', 'test/outages/vitest.config.ts', ...words], {
    cwd: root,
    env: { ...process.env, ...variables },
    stdio: ['ignore', stdio, stdio],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  let isTooLong = false;
  const timers = [
    setTimeout(() => {
      isTooLong = true;
      child.kill('SIGTERM');
    }, runTimeoutMs),
    setTimeout(() => child.kill('SIGKILL'), runTimeoutMs + killAfterMs),
  ];
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      for (const timer of timers) clearTimeout(timer);
      resolve({ code, output, isTooLong });
    });
  });
}

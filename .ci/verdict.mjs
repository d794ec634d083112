// Prints the last line of .ci/run, from Vitest's JSON report, how the test command ended, and how many of the other
// steps failed: `N passed, N failed, N skipped`. Every test that failed counts; so does each other step, each test file that could not be loaded, a
// test command that failed with no failed test (a crash), and whatever the run left behind.
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [, , reportFile, tests, failedSteps, patienceMs = 10_000] = process.argv;

const { passed, failed, skipped } = countTests();
const left = await leftBehind();
for (const what of left) console.log(`left behind: ${what}`);
const total = failed + Number(failedSteps) + left.length;
console.log(`${passed} passed, ${total} failed, ${skipped} skipped`);
process.exitCode = total === 0 ? 0 : 1;

function countTests() {
  const report = readReport();
  const broken = report.testResults.filter(
    file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'),
  );
  for (const { name } of broken) console.log(`failed as a whole: ${name}`);
  const found = report.numFailedTests + broken.length;
  return {
    passed: report.numPassedTests,
    failed: tests === 'passed' ? found : Math.max(found, 1),
    skipped: report.numPendingTests,
  };
}

function readReport() {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    console.log('The tests left no report.');
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, testResults: [] };
  }
}

/** Processes and temporary folders of this run that are still there when they have had time to go. */
async function leftBehind() {
  const end = performance.now() + Number(patienceMs);
  while (findLeft().length > 0 && performance.now() < end) await sleep(100);
  return findLeft();
}

/** The run has a temporary folder of its own, which its processes have in their environment or on their command line. */
function findLeft() {
  const folders = readdirSync(tmpdir()).filter(name => name.startsWith('keelson-'));
  return [...folders.map(name => join(tmpdir(), name)), ...processes()];
}

function processes() {
  if (process.platform !== 'linux') return [];
  const family = ancestors();
  const others = readdirSync('/proc').filter(name => /^\d+$/.test(name) && !family.has(name));
  return others
    .filter(pid => ['environ', 'cmdline'].some(file => read(pid, file).includes(tmpdir())))
    .map(pid => `process ${pid}: ${read(pid, 'cmdline').replaceAll('\0', ' ')}`);
}

function ancestors() {
  const family = new Set();
  for (let pid = String(process.pid); pid !== '0' && pid !== ''; pid = parentOf(pid)) family.add(pid);
  return family;
}

function parentOf(pid) {
  return /^PPid:\s*(\d+)/m.exec(read(pid, 'status'))?.[1] ?? '';
}

function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

import type { ProfileLine } from './add-up.js';
import type { StartProfile } from './start-profiler.js';

const width = 80;
/** What took less is in one line together, in milliseconds. */
const shortestMs = 1;

/** The profile for a person, in 80 columns. The column `adds` adds up to the last line. */
export function formatProfile({ readyAfterMs, lines, longestBlock }: StartProfile): string {
  const { ms, during } = longestBlock;
  return [
    'The time of each step until ready, in ms.',
    'In the column adds, the time that several steps share counts once.',
    '',
    row('at', 'took', 'adds', 'modules', ''),
    ...formatLines(lines),
    row('', '', String(Math.round(readyAfterMs)), '', `ready after ${Math.round(readyAfterMs)} ms in this process`),
    '',
    `The event loop was blocked for at most ${Math.round(ms)} ms${during.length === 0 ? '' : ', during:'}`,
    ...during.map(name => cut(`  ${name}`)),
  ].join('\n');
}

function formatLines(lines: readonly ProfileLine[]): string[] {
  const shown = lines.filter(isShown);
  const short = lines.filter(line => !isShown(line));
  let sum = 0;
  const rounded = (addsMs: number) => {
    const before = Math.round(sum);
    sum += addsMs;
    return String(Math.round(sum) - before);
  };
  const rows = shown.map(({ name, atMs, tookMs, addsMs, modules }) =>
    row(whole(atMs), whole(tookMs), rounded(addsMs), modules ? String(modules) : '', name),
  );
  if (short.length === 0) return rows;
  const total = short.reduce((ms, { addsMs }) => ms + addsMs, 0);
  return [...rows, row('', '', rounded(total), '', `${short.length} steps of less than ${shortestMs} ms each`)];
}

function isShown({ tookMs }: ProfileLine): boolean {
  return tookMs >= shortestMs;
}

function row(at: string, took: string, adds: string, modules: string, name: string): string {
  return cut(`${at.padStart(6)}${took.padStart(7)}${adds.padStart(7)}${modules.padStart(9)}  ${name}`.trimEnd());
}

function whole(ms: number): string {
  return String(Math.round(ms));
}

function cut(line: string): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

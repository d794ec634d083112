import type { Terminal } from '../command.js';
import { LiveLine } from './live-line.js';
import { paint } from './paint.js';

const live = new LiveLine(process.stdout);

/** The terminal of this process: its variables and its standard streams. */
export const processTerminal: Terminal = {
  variables: process.env,
  out(text) {
    live.clear();
    process.stdout.write(`${paint(text, process.stdout)}\n`);
  },
  err(text) {
    live.clear();
    process.stderr.write(`${paint(text, process.stderr)}\n`);
  },
  progress: text => live.show(text),
  columns: { out: columnsOf(process.stdout), err: columnsOf(process.stderr) },
};

/** The width of a terminal; undefined for a file or a pipe, whose reader wants whole lines. */
export function columnsOf({ isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number }) {
  // Some terminals do not say how wide they are, or say 0.
  return isTTY ? columns || 80 : undefined;
}

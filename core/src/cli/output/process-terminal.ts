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
};

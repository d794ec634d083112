import type { Terminal } from '../command.js';
import { paint } from './paint.js';

/** The terminal of this process: its variables and its standard streams. */
export const processTerminal: Terminal = {
  variables: process.env,
  out: text => process.stdout.write(`${paint(text, process.stdout)}\n`),
  err: text => process.stderr.write(`${paint(text, process.stderr)}\n`),
};

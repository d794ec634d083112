import { drained, forgiveGoneReader } from './output/drained.js';
import { processTerminal } from './output/process-terminal.js';
import { runKeelson } from './run-keelson.js';

/** A service that has stopped must be gone within its grace period, also when its lines are not read. */
const patienceMs = 2_000;

/** Runs a command line as the whole of this process, and ends the process with its exit code. */
export async function runProcess(words: readonly string[], terminal = processTerminal): Promise<never> {
  const streams = [process.stdout, process.stderr];
  streams.forEach(forgiveGoneReader);
  // What a command waits for need not keep a process alive by itself.
  setInterval(() => {}, 60_000);
  const code = await runKeelson(words, terminal);
  await Promise.all(streams.map(stream => drained(stream, words[0] === 'start' ? patienceMs : undefined)));
  // What a plugin left open must not keep a service alive that has stopped.
  process.exit(code);
}

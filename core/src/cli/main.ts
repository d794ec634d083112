import { maskText } from '../secrets/mask-text.js';
import { drained, forgiveGoneReader } from './drained.js';
import { paint } from './paint.js';
import { run } from './run.js';

/** A service that has stopped must be gone within its grace period, whoever reads its lines. */
const patienceMs = 2_000;

const streams = [process.stdout, process.stderr];
streams.forEach(forgiveGoneReader);
// What a command waits for need not keep a process alive by itself.
setInterval(() => {}, 60_000);
const words = process.argv.slice(2);
const code = await run(words, {
  variables: process.env,
  out: text => process.stdout.write(`${paint(maskText(text), process.stdout)}\n`),
  err: text => process.stderr.write(`${paint(maskText(text), process.stderr)}\n`),
});
await Promise.all(streams.map(stream => drained(stream, words[0] === 'start' ? patienceMs : undefined)));
// What a plugin left open must not keep a service alive that has stopped.
process.exit(code);

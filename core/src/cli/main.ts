import { drained, forgiveGoneReader } from './output/drained.js';
import { runKeelson } from './run-keelson.js';

/** A service that has stopped must be gone within its grace period, also when its lines are not read. */
const patienceMs = 2_000;

const streams = [process.stdout, process.stderr];
streams.forEach(forgiveGoneReader);
// What a command waits for need not keep a process alive by itself.
setInterval(() => {}, 60_000);
const words = process.argv.slice(2);
const code = await runKeelson(words);
await Promise.all(streams.map(stream => drained(stream, words[0] === 'start' ? patienceMs : undefined)));
// What a plugin left open must not keep a service alive that has stopped.
process.exit(code);

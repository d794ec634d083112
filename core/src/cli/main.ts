import { withoutKnownSecrets } from '../safe/known-secrets.js';
import { paint } from './paint.js';
import { run } from './run.js';

// What a command waits for need not keep a process alive by itself.
setInterval(() => {}, 60_000);
const code = await run(process.argv.slice(2), {
  variables: process.env,
  out: text => process.stdout.write(`${paint(withoutKnownSecrets(text), process.stdout)}\n`),
  err: text => process.stderr.write(`${paint(withoutKnownSecrets(text), process.stderr)}\n`),
});
// What a plugin left open must not keep a service alive that has stopped.
process.exit(code);

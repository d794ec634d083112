import { run } from './run.js';

const code = await run(process.argv.slice(2), {
  variables: process.env,
  out: text => process.stdout.write(`${text}\n`),
  err: text => process.stderr.write(`${text}\n`),
});
// What a plugin left open must not keep a service alive that has stopped.
process.exit(code);

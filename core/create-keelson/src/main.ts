import { run } from './run.js';

process.exitCode = await run(process.argv.slice(2), {
  isInteractive: process.stdin.isTTY === true && process.stdout.isTTY === true && process.env.CI === undefined,
  userAgent: process.env.npm_config_user_agent ?? '',
  out: text => console.log(text),
  err: text => console.error(text),
});

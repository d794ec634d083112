// Builds the site of docs/, or serves it while pages are written: `node .ci/docs.mjs build`, `dev` or `preview`.
// Its packages have a lock file of their own, so that nothing of them is installed for the tests.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = fileURLToPath(new URL('../docs', import.meta.url));
const stamp = join(docs, 'node_modules', '.keelson-installed');
const lock = createHash('sha256')
  .update(readFileSync(join(docs, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  // Not `npm ci`, for the reason that ready.mjs gives.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, lock);
}
run('npm', ['run', '--silent', process.argv[2] ?? 'build']);

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: docs,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) console.error(`${command} could not be started: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

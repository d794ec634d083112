// Makes a checkout ready to run: installs when the lock file changed, builds what changed. Runs on any Node >= 20.19,
// before anything is installed, so it imports nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.keelson-installed');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash()) {
  console.error('Installing packages (the first time only; about a minute) ...');
  // Not `npm ci`: the lock file names no package for other platforms, and `npm ci` refuses such a file there.
  // The engines of some packages are above the Node that may run this; they run on the Node 24 that comes with them.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, lockHash());
}
run(join('node_modules', '.bin', 'tsc'), ['-b']);
// The page of the console, by the bundler: less than a second, and nothing while its sources are the same.
run(join('node_modules', '.bin', 'node'), [join('plugins', 'console', 'build-page.mjs')]);

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (error) console.error(`${command} could not be started: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

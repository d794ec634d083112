import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peersDirectory } from './service-kinds.js';

/** Installs the peers, unless what their lock file names is installed. */
export function preparePeers(): void {
  const stamp = join(peersDirectory, 'node_modules', '.keelson-installed');
  const wanted = createHash('sha256')
    .update(readFileSync(join(peersDirectory, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('Installing the peers (the first time only; about half a minute) ...');
  const words = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', words, { cwd: peersDirectory, stdio: ['ignore', 2, 2] });
  writeFileSync(stamp, wanted);
}

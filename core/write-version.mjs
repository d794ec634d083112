// After `npm version` or lerna has set the version of this package, and before it commits.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const file = fileURLToPath(new URL('src/contract/contract-version.ts', import.meta.url));
const text = readFileSync(file, 'utf8');
writeFileSync(file, text.replace(/(contractVersion: string = )'[^']*'/, `$1'${version}'`));
execFileSync('git', ['add', file]);

// Before it is packed: the pages for users go with the kernel.
import { cpSync, rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const from = fileURLToPath(new URL('../docs', import.meta.url));
const to = fileURLToPath(new URL('docs', import.meta.url));
rmSync(to, { recursive: true, force: true });
cpSync(from, to, {
  recursive: true,
  filter: path => (statSync(path).isDirectory() ? !isOfTheSite(path) : path.endsWith('.md')),
});

/** What makes the site of the pages, and is no page. */
function isOfTheSite(folder) {
  return ['.vitepress', 'api', 'node_modules'].includes(basename(folder));
}

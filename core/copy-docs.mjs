// Before it is packed: the pages for users go with the kernel.
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const from = fileURLToPath(new URL('../docs', import.meta.url));
const to = fileURLToPath(new URL('docs', import.meta.url));
rmSync(to, { recursive: true, force: true });
cpSync(from, to, { recursive: true });

import { existsSync, mkdirSync } from 'node:fs';

/**
 * Whether this call is the first to ask for what several test files use, and so makes it: in `draft`, which it then renames to the
 * same path without `.draft`.
 */
export function isFirst(draft: string): boolean {
  if (existsSync(draft.replace(/\.draft$/, ''))) return false;
  try {
    mkdirSync(draft);
    return true;
  } catch {
    return false;
  }
}

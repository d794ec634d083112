import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Refusal } from './refusal.js';

/** Files that an empty folder may have, because a host or an editor has put them there. */
const harmless = new Set(['.git', '.DS_Store', 'Thumbs.db', '.idea']);

/** @throws Refusal when the folder cannot become a service. */
export function assertFree(folder: string): void {
  const found = contentsOf(folder);
  if (found.length === 0) return;
  const shown = found.slice(0, 3).join(', ') + (found.length > 3 ? ` and ${found.length - 3} more` : '');
  throw new Refusal(`The folder ${folder} is not empty: it has ${shown}.`, 'Choose another name, or empty the folder.');
}

/**
 * Writes all files or none: into a folder beside, which then takes its place.
 *
 * @throws Refusal when the folder is not empty or cannot be written to.
 */
export function writeService(folder: string, files: ReadonlyMap<string, string>): void {
  assertFree(folder);
  let draft: string | undefined;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    draft = mkdtempSync(join(dirname(folder), `.${basename(folder)}-`));
    for (const [path, text] of files) {
      const file = join(draft, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    publish(draft, folder);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal(`The service cannot be written: ${reason}`, 'Choose a folder that you can write to.');
  } finally {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true });
  }
}

/** Each file or folder is moved as a whole. What was moved is taken back when one cannot be. */
function publish(draft: string, folder: string): void {
  if (!existsSync(folder)) {
    // `mkdtemp` makes a folder for its user alone.
    mkdirSync(folder);
  }
  const moved: string[] = [];
  try {
    for (const name of readdirSync(draft)) {
      renameSync(join(draft, name), join(folder, name));
      moved.push(name);
    }
  } catch (error) {
    for (const name of moved) rmSync(join(folder, name), { recursive: true, force: true });
    if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function contentsOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter(name => !harmless.has(name));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return [];
    const reason = code === 'ENOTDIR' ? 'it is a file' : `it cannot be read (${String(code)})`;
    throw new Refusal(`${folder} cannot be the folder of a service: ${reason}.`, 'Choose another name.');
  }
}

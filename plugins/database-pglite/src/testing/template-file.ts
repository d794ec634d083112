import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const prefix = 'pglite-';
const unusedForMs = 7 * 24 * 3_600_000;

/** A database as a file, which any process may copy. */
export class TemplateFile {
  readonly #directory: string;
  readonly #path: string;

  constructor(directory: string, key: string) {
    this.#directory = directory;
    this.#path = join(directory, `${prefix}${key}.tar`);
  }

  /** Resolves to undefined when it is not made yet. */
  async read(): Promise<Blob | undefined> {
    if (!existsSync(this.#path)) return undefined;
    const now = new Date();
    await utimes(this.#path, now, now);
    return new Blob([await readFile(this.#path)]);
  }

  /** Two processes may write it at the same time: each writes a file of its own, and the last one stays. */
  async write(dump: Blob): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const draft = `${this.#path}.${randomUUID()}`;
    try {
      await writeFile(draft, Buffer.from(await dump.arrayBuffer()));
      await rename(draft, this.#path);
    } finally {
      await rm(draft, { force: true });
    }
    await this.#removeUnused();
  }

  /** Templates of earlier migrations, and drafts of processes that have crashed. */
  async #removeUnused(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!name.startsWith(prefix)) continue;
      const path = join(this.#directory, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (Date.now() - mtimeMs > unusedForMs) await rm(path, { force: true });
    }
  }
}

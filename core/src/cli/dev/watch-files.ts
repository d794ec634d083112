import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { basename, join, sep } from 'node:path';

/** Nothing that a service writes, a build makes or a package manager installs. */
const ignored = /^(node_modules|dist|bundle|coverage|\..*)$/;
const watchedDotfiles = new Set(['.env']);
/** A service, its configuration, and what it reads at its start. */
const watched = /\.([cm]?[jt]sx?|json|ya?ml|sql|env)$|^\.env$/;

/** Editors write a file in several steps, and a change of branch touches many files. */
const settleMs = 40;

export interface WatchOptions {
  /** Folders to watch although they are usually left out: `dist`. */
  readonly also?: readonly string[];
  /** Gets the paths of the changed files, relative to the folder, with slashes. */
  onChange(paths: readonly string[]): void;
}

/** Watches the files of a service until it is closed. */
export class FileWatch implements Disposable {
  readonly #folder: string;
  readonly #options: WatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #stamps = new Map<string, string>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string, options: WatchOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#add('', false);
    for (const name of this.#foldersBelow()) this.#add(name, true);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #foldersBelow(): string[] {
    return readdirSync(this.#folder, { withFileTypes: true })
      .filter(entry => entry.isDirectory() && this.#isWatched(entry.name))
      .map(({ name }) => name);
  }

  #isWatched(name: string): boolean {
    return !ignored.test(name) || this.#options.also?.includes(name) === true;
  }

  /** One watcher for each folder: a recursive one on the whole service would walk through `node_modules`. */
  #add(below: string, recursive: boolean): void {
    if (this.#watchers.has(below)) return;
    try {
      const watcher = watch(join(this.#folder, below), { recursive }, (_event, name) => {
        if (name !== null) this.#onEvent(below, name);
      });
      // A folder that is removed while it is watched.
      watcher.on('error', () => this.#remove(below));
      this.#watchers.set(below, watcher);
      if (recursive) this.#noteAll(below);
    } catch {
      // The folder is gone again.
    }
  }

  #remove(below: string): void {
    this.#watchers.get(below)?.close();
    this.#watchers.delete(below);
  }

  /** What is there already is no change. */
  #noteAll(below: string): void {
    for (const entry of readdirSync(join(this.#folder, below), { recursive: true, encoding: 'utf8' })) {
      const path = join(below, entry);
      if (watched.test(basename(path))) this.#stamps.set(path, stampOf(join(this.#folder, path)));
    }
  }

  #onEvent(below: string, name: string): void {
    const path = join(below, name);
    if (below === '' && this.#isNewFolder(name)) this.#add(name, true);
    const isOwn = watched.test(basename(path)) && (!basename(path).startsWith('.') || watchedDotfiles.has(path));
    if (!isOwn || path.split(sep).some(part => part === 'node_modules')) return;
    const stamp = stampOf(join(this.#folder, path));
    if (this.#stamps.get(path) === stamp) return;
    this.#stamps.set(path, stamp);
    this.#changed.add(path.split(sep).join('/'));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), settleMs);
  }

  #isNewFolder(name: string): boolean {
    return (
      this.#isWatched(name) &&
      !this.#watchers.has(name) &&
      statSync(join(this.#folder, name), quiet)?.isDirectory() === true
    );
  }

  #tell(): void {
    const paths = [...this.#changed].toSorted();
    this.#changed.clear();
    this.#options.onChange(paths);
  }
}

const quiet = { throwIfNoEntry: false } as const;

/** Tells one state of a file from another; empty when there is no file. */
function stampOf(file: string): string {
  const found = statSync(file, quiet);
  return found === undefined ? '' : `${found.mtimeMs}/${found.size}`;
}

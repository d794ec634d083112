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
    this.#add('', path => void this.#stamps.set(path, this.#stampOf(path)));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /**
   * One watcher for each folder. A recursive one has two faults on Linux, where Node.js watches each file: it walks through
   * `node_modules`, and it misses the changes of a file after an editor has replaced it by another of the same name.
   * `onFile` gets each watched file that is already below.
   */
  #add(below: string, onFile: (path: string) => void): void {
    if (this.#watchers.has(below)) return;
    try {
      const folder = join(this.#folder, below);
      const watcher = watch(folder, (_event, name) => {
        if (name !== null) this.#onEvent(join(below, name));
      });
      // A folder that is removed while it is watched.
      watcher.on('error', () => this.#remove(below));
      this.#watchers.set(below, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(below, entry.name);
        if (entry.isDirectory() && this.#isOwnFolder(entry.name)) this.#add(path, onFile);
        else if (isOwnFile(path)) onFile(path);
      }
    } catch {
      // The folder is gone again.
    }
  }

  #remove(below: string): void {
    this.#watchers.get(below)?.close();
    this.#watchers.delete(below);
  }

  #isOwnFolder(name: string): boolean {
    return !ignored.test(name) || this.#options.also?.includes(name) === true;
  }

  #onEvent(path: string): void {
    if (isOwnFile(path)) this.#noteChange(path);
    else if (this.#isOwnFolder(basename(path))) this.#onFolder(path);
  }

  /** A folder that is moved away and back is another one, with another watcher. */
  #onFolder(path: string): void {
    const isThere = statSync(join(this.#folder, path), quiet)?.isDirectory() === true;
    if (isThere) this.#add(path, file => this.#noteChange(file));
    else this.#removeAll(path);
  }

  #removeAll(folder: string): void {
    for (const below of [...this.#watchers.keys()]) {
      if (below === folder || below.startsWith(folder + sep)) this.#remove(below);
    }
    for (const file of this.#stamps.keys()) if (file.startsWith(folder + sep)) this.#noteChange(file);
  }

  #noteChange(path: string): void {
    const stamp = this.#stampOf(path);
    if (this.#stamps.get(path) === stamp) return;
    this.#stamps.set(path, stamp);
    this.#changed.add(path.split(sep).join('/'));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), settleMs);
  }

  /** Differs from one state of a file to another; empty when there is no file. */
  #stampOf(path: string): string {
    const found = statSync(join(this.#folder, path), quiet);
    return found === undefined ? '' : `${found.mtimeMs}/${found.size}/${found.ino}`;
  }

  #tell(): void {
    const paths = [...this.#changed].toSorted();
    this.#changed.clear();
    this.#options.onChange(paths);
  }
}

function isOwnFile(path: string): boolean {
  const name = basename(path);
  return watched.test(name) && (!name.startsWith('.') || watchedDotfiles.has(path));
}

const quiet = { throwIfNoEntry: false } as const;

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DataDirLock } from './data-dir-lock.js';

describe('the lock of a data folder', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keelson-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const path = () => join(folder, 'keelson.lock');
  const owned = (owner: object) => writeFileSync(path(), JSON.stringify(owner));
  const taken = () => {
    using _lock = DataDirLock.take(folder);
    return JSON.parse(readFileSync(path(), 'utf8')).pid;
  };

  test('names this process, and is gone after its release', () => {
    expect(taken()).toBe(process.pid);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is refused while it is held, and can be taken again after', () => {
    const first = DataDirLock.take(folder);
    expect(() => DataDirLock.take(folder)).toThrow(`in use by process ${process.pid}`);
    first[Symbol.dispose]();
    expect(taken()).toBe(process.pid);
  });

  test('is refused while another process lives, and taken over when it has been killed', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      owned({ pid: other.pid, start: '' });
      expect(() => DataDirLock.take(folder)).toThrow(`in use by process ${other.pid}`);
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    expect(taken()).toBe(process.pid);
  });

  test('is taken over from an earlier process that had the id of one that lives', () => {
    owned({ pid: process.pid, start: 'before the last boot' });
    expect(taken()).toBe(process.pid);
  });

  test('is taken over when its owner is unknown', () => {
    for (const text of ['', 'no json', '{}', 'null']) {
      writeFileSync(path(), text);
      expect(taken()).toBe(process.pid);
    }
  });

  test('leaves the lock of a later owner alone', () => {
    const first = DataDirLock.take(folder);
    owned({ pid: 1, start: '' });
    first[Symbol.dispose]();
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toEqual({ pid: 1, start: '' });
  });

  test('cannot be taken in a folder that cannot be made', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => DataDirLock.take(join(folder, 'file', 'data'))).toThrow('cannot be written to (ENOTDIR)');
  });
});

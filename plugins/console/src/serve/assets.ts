import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { notBuilt } from './errors.js';

/** A file of the page, as it is sent. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
  /** Its name has a hash of its content: a browser may keep it for good. */
  readonly isFixed: boolean;
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

const directory = fileURLToPath(new URL('../page/', import.meta.url));

/**
 * Reads the page: `/` and each file that it uses, by path. They are few and small, so they stay in memory.
 *
 * @throws KeelsonError CONSOLE_NOT_BUILT.
 */
export function readAssets(from: string = directory): ReadonlyMap<string, Asset> {
  try {
    const files = readdirSync(join(from, 'assets')).map(
      name => [`/assets/${name}`, join(from, 'assets', name)] as const,
    );
    return new Map([
      ['/', assetOf(join(from, 'index.html'))],
      ...files.map(([path, file]) => [path, assetOf(file)] as const),
    ]);
  } catch (error) {
    throw notBuilt(error);
  }
}

function assetOf(file: string): Asset {
  const body = readFileSync(file);
  const extension = file.slice(file.lastIndexOf('.') + 1);
  return {
    type: types[extension] ?? 'application/octet-stream',
    body,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    isFixed: extension !== 'html',
  };
}

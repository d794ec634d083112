import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Logger } from '@keelson/core';
import { fileStamp } from '@keelson/core/credentials';
import { ConnectionError, systemCodeOf } from '@keelson/database';

const names = { sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key' } as const;

export interface TlsContents {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * The files for TLS that a url names. Reads them again when one of them has changed, and keeps what it has while they
 * cannot be used: a certificate and its key are not replaced in the same moment.
 */
export class TlsFiles {
  readonly #paths: ReadonlyMap<keyof typeof names, string>;
  readonly #logger: Logger;
  #contents: TlsContents;
  #stamp: string;

  /** @throws ConnectionError for a file that cannot be read, is not in PEM, or does not go with another. */
  constructor(parameters: URLSearchParams, logger: Logger) {
    this.#paths = pathsIn(parameters);
    this.#logger = logger;
    this.#stamp = this.#stampNow();
    this.#contents = usableContents(this.#paths);
  }

  /** The same object as the last time, without reading, while no file has changed. */
  get contents(): TlsContents {
    if (this.#paths.size === 0) return this.#contents;
    const stamp = this.#stampNow();
    if (stamp !== this.#stamp) this.#read(stamp);
    return this.#contents;
  }

  #read(stamp: string): void {
    this.#stamp = stamp;
    try {
      this.#contents = usableContents(this.#paths);
      this.#logger.info('TLS files read again', { parameters: [...this.#paths.keys()] });
    } catch (error) {
      this.#logger.warn('changed TLS files cannot be used, the previous ones stay in use', { error });
    }
  }

  #stampNow(): string {
    return [...this.#paths.values()].map(path => fileStamp(path) ?? '').join('|');
  }
}

function pathsIn(parameters: URLSearchParams): ReadonlyMap<keyof typeof names, string> {
  const paths = new Map<keyof typeof names, string>();
  for (const name of ['sslrootcert', 'sslcert', 'sslkey'] as const) {
    const path = parameters.get(name);
    if (path !== null && path !== '') paths.set(name, path);
  }
  return paths;
}

/** pg would throw what the file system and OpenSSL say. */
function usableContents(paths: ReadonlyMap<keyof typeof names, string>): TlsContents {
  const contents: { ca?: string; cert?: string; key?: string } = {};
  for (const [name, path] of paths) contents[names[name]] = contentOf(name, path);
  if (contents.ca !== undefined && !contents.ca.includes('-----BEGIN ')) throw unusable('sslrootcert is not in PEM');
  try {
    createSecureContext(contents);
  } catch (error) {
    throw unusable('sslcert and sslkey are not in PEM, or do not go together', error);
  }
  return contents;
}

function contentOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const systemCode = systemCodeOf(error);
    throw new ConnectionError({
      code: 'DATABASE_CONNECT_FAILED',
      message: `The file in ${name} of the configured url cannot be read (${systemCode}): ${path}.`,
      hint: 'Check that the path is right (a relative one begins where the service was started) and that its user may read the file.',
      facts: { kind: 'tls-file', parameter: name, path, systemCode },
    });
  }
}

function unusable(what: string, error?: unknown): ConnectionError {
  const systemCode = systemCodeOf(error);
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: `The TLS files in the configured url cannot be used: ${what}.`,
    hint: 'Set sslrootcert and sslcert to files with certificates in PEM, and sslkey to the key of sslcert, without a passphrase.',
    facts: { kind: 'tls-file', ...(systemCode !== undefined && { systemCode }) },
  });
}

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConnectionError, systemCodeOf } from '@keelson/database';

const names = { sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key' } as const;

/**
 * Reads the files for TLS that `url` names, to say what is wrong with them: pg would throw what the file system and
 * OpenSSL say.
 *
 * @throws ConnectionError for a file that cannot be read, is not in PEM, or does not go with another.
 */
export function checkTlsFiles(url: string): void {
  const parameters = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  const contents: { ca?: string; cert?: string; key?: string } = {};
  for (const [name, option] of Object.entries(names)) {
    const path = url.includes('?') ? parameters.get(name) : null;
    if (path !== null && path !== '') contents[option] = contentOf(name, path);
  }
  if (contents.ca !== undefined && !contents.ca.includes('-----BEGIN ')) throw unusable('sslrootcert is not in PEM');
  try {
    createSecureContext(contents);
  } catch (error) {
    throw unusable('sslcert and sslkey are not in PEM, or do not go together', error);
  }
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
    hint: 'Give sslrootcert and sslcert certificates in PEM, and sslkey the key of sslcert, without a passphrase.',
    facts: { kind: 'tls-file', ...(systemCode !== undefined && { systemCode }) },
  });
}

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface CertificateOptions {
  readonly commonName: string;
  /** Name in the directory of the authority that signs it. Default: it signs itself. */
  readonly authority?: string;
  /** Was valid for one day in 2020. Default: is valid for a day from now. */
  readonly expired?: boolean;
}

/** True where certificates can be made. */
export const canMakeCertificates = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Makes `<name>.crt` and `<name>.key` in `directory`. At run time: a certificate in a repository expires. */
export function makeCertificate(directory: string, name: string, options: CertificateOptions): void {
  const { commonName, authority = name, expired = false } = options;
  const file = (of: string, ending: string) => join(directory, `${of}.${ending}`);
  const openssl = (...args: string[]) => void execFileSync('openssl', args, { stdio: 'pipe', cwd: directory });
  const subject = ['-subj', `/CN=${commonName}`, '-addext', `subjectAltName=DNS:${commonName}`];
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', file(name, 'key')];
  if (authority === name && !expired) {
    openssl('req', '-x509', ...key, '-days', '1', ...subject, '-out', file(name, 'crt'));
    return;
  }
  openssl('req', ...key, ...subject, '-out', file(name, 'csr'));
  const signer = ['-CA', file(authority, 'crt'), '-CAkey', file(authority, 'key'), '-CAcreateserial'];
  // `x509` knows no dates before now, but a negative number of days.
  openssl(
    'x509',
    '-req',
    '-in',
    file(name, 'csr'),
    ...signer,
    '-copy_extensions',
    'copyall',
    '-days',
    expired ? '-1' : '1',
    '-out',
    file(name, 'crt'),
  );
}

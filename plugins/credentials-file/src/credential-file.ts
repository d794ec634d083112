import { readFileSync } from 'node:fs';
import { type Credential, KeelsonError } from '@keelson/core';
import { fileStamp, parseCredential } from '@keelson/core/credentials';

/** A file with a credential, which somebody else writes. */
export class CredentialFile {
  readonly #path: string;
  #stamp: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** True when it may have another content than was last read. */
  get isChanged(): boolean {
    return fileStamp(this.#path) !== this.#stamp;
  }

  /** @throws KeelsonError `CREDENTIALS_FILE_UNREADABLE`, or `CREDENTIALS_INVALID` for what is in it. */
  read(): Credential {
    const stamp = fileStamp(this.#path);
    const credential = parseCredential(this.#text());
    this.#stamp = stamp;
    return credential;
  }

  #text(): string {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch (error) {
      const systemCode = String(Reflect.get(Object(error), 'code'));
      throw new KeelsonError({
        code: 'CREDENTIALS_FILE_UNREADABLE',
        message: `The file with the credential cannot be read (${systemCode}): ${this.#path}.`,
        hint: 'Check that the path is right, and that the user of the service may read the file.',
        facts: { path: this.#path, systemCode },
      });
    }
  }
}

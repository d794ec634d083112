import { type Credential, type Credentials, isKeelsonError, type Logger } from '@keelson/core';
import { ConnectionError } from '@keelson/database';
import { type Login, type LoginSource, loginIn, loginOf } from './login.js';
import type { PostgresqlOptions } from './options.js';

export type RereadFiles = () => Promise<PostgresqlOptions>;

export interface ConfiguredLoginsParts {
  readonly options: PostgresqlOptions;
  /** Left out when no option comes from a file. */
  readonly rereadFiles?: RereadFiles | undefined;
  /** Provides the password, and perhaps the user. */
  readonly credentials?: Credentials | undefined;
  readonly logger: Logger;
}

/** The logins of a database: of its options, with files as they are now, and of the slot `credentials`. */
export class ConfiguredLogins {
  readonly #credentials: Credentials | undefined;
  readonly #logger: Logger;
  #options: PostgresqlOptions;
  #rereadFiles: RereadFiles | undefined;
  /** Why the files could not be read the last time. */
  #unreadable: string | undefined;

  constructor({ options, rereadFiles, credentials, logger }: ConfiguredLoginsParts) {
    this.#options = options;
    this.#rereadFiles = rereadFiles;
    this.#credentials = credentials;
    this.#logger = logger;
  }

  /** After a reload of the configuration. */
  change(options: PostgresqlOptions, rereadFiles: RereadFiles | undefined): void {
    this.#options = options;
    this.#rereadFiles = rereadFiles;
  }

  /** Of the place whose url is `urlOf` the options. */
  sourceOf(urlOf: (options: PostgresqlOptions) => string): LoginSource {
    const credentials = this.#credentials;
    const configured = async () => this.#configured(urlOf);
    if (credentials === undefined) return { current: configured, renewed: configured };
    /** Which credential a login was made of, to name it to its source. */
    const made = new WeakMap<Login, Credential>();
    const withCredential = async (credential: Credential) => {
      const login = { ...(await configured()), ...loginOf(credential) };
      made.set(login, credential);
      return login;
    };
    return {
      current: async () => withCredential(await credentials.current().catch(unavailable)),
      renewed: async refused => {
        const { password = '' } = refused;
        return withCredential(await credentials.renewed(made.get(refused) ?? { password }).catch(unavailable));
      },
    };
  }

  async #configured(urlOf: (options: PostgresqlOptions) => string): Promise<Login> {
    const options = this.#rereadFiles === undefined ? this.#options : await this.#read(this.#rereadFiles);
    return { ...loginIn(urlOf(options)), ...loginOf(options) };
  }

  /** A file that is being replaced may be missing, or half there: then the values at hand stay. */
  async #read(rereadFiles: RereadFiles): Promise<PostgresqlOptions> {
    try {
      this.#options = await rereadFiles();
      this.#unreadable = undefined;
    } catch (error) {
      const code = isKeelsonError(error) ? error.code : 'no further reason given';
      if (this.#unreadable !== code)
        this.#logger.warn('changed files of the configuration cannot be read, the previous values stay in use', {
          code,
        });
      this.#unreadable = code;
    }
    return this.#options;
  }
}

function unavailable(error: unknown): never {
  const message = isKeelsonError(error) ? error.message : 'The plugin in the slot credentials failed.';
  throw new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: `No login for the database is available. ${message}`,
    hint: (isKeelsonError(error) ? error.hint : undefined) ?? 'Check the plugin in the slot credentials.',
    facts: { kind: 'credentials' },
    cause: isKeelsonError(error) ? error : undefined,
  });
}

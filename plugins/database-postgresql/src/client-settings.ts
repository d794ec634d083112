import type { Logger } from '@keelson/core';
import pg from 'pg';
import { asPgClient } from './pg-internals.js';
import { type TlsContents, TlsFiles } from './tls-files.js';
import { tlsParameters } from './url-parameters.js';

/** With what clients of pg are made for one place, its TLS files as they are now. */
export class ClientSettings {
  readonly #files: TlsFiles;
  #withoutTls: pg.ClientConfig;
  readonly #tls: unknown;
  #made: { readonly from: TlsContents; readonly config: pg.ClientConfig } | undefined;

  /** @throws ConnectionError for TLS files that cannot be used. */
  constructor(config: pg.ClientConfig, logger: Logger) {
    const [address = '', query = ''] = (config.connectionString ?? '').split('?');
    const parameters = new URLSearchParams(query);
    this.#files = new TlsFiles(parameters, logger);
    // pg reads the files of a url for each client, and throws when one of them is missing for a moment.
    this.#tls = asPgClient(new pg.Client(config)).connection.ssl;
    const isDirect = parameters.get('sslnegotiation') === 'direct';
    for (const name of tlsParameters) parameters.delete(name);
    this.#withoutTls = {
      ...config,
      connectionString: parameters.size === 0 ? address : `${address}?${parameters}`,
      ...(isDirect && { sslnegotiation: 'direct' }),
    };
  }

  /** The same object as the last time while no file has changed. */
  get config(): pg.ClientConfig {
    const from = this.#files.contents;
    if (this.#made?.from !== from) this.#made = { from, config: this.#configWith(from) };
    return this.#made.config;
  }

  /** Clients are made without these from now on. */
  leaveOut(names: readonly (keyof pg.ClientConfig)[]): void {
    const left = { ...this.#withoutTls };
    for (const name of names) delete left[name];
    this.#withoutTls = left;
    this.#made = undefined;
  }

  #configWith(contents: TlsContents): pg.ClientConfig {
    const ssl =
      typeof this.#tls === 'object' && this.#tls !== null ? { ...this.#tls, ...contents } : this.#tls === true;
    return { ...this.#withoutTls, ssl };
  }
}

import type { Row, Statement } from '@keelson/database';
import type { Connection, CustomTypesConfig, FieldDef, Submittable } from 'pg';
import { FrontendMessages } from './frontend-messages.js';
import { type PgClient, parameterText } from './pg-internals.js';
import { RowShape } from './row-shape.js';
import { settleWhenReady } from './settle-when-ready.js';

/**
 * The rows of one statement, some at a time. Each read ends with ReadyForQuery, so the server limits the time of each read
 * (`statement_timeout`), and the pause of the reader between two as one in its transaction
 * (`idle_in_transaction_session_timeout`). Outside of a transaction the portal ends with the first read, which gets all rows
 * (PostgreSQL manual, 54.2.3).
 */
export class RowPortal {
  readonly #client: PgClient;
  readonly #statement: Statement;
  readonly #types: CustomTypesConfig;
  #shape: RowShape | undefined;
  #state: 'new' | 'open' | 'read' | 'failed' = 'new';

  constructor(client: PgClient, statement: Statement, types: CustomTypesConfig) {
    this.#client = client;
    this.#statement = statement;
    this.#types = types;
  }

  /** At most `count` rows; none at the end. @throws what a value throws that cannot be written, before anything is sent */
  async read(count: number): Promise<Row[]> {
    if (this.#state === 'read') return [];
    const messages = new FrontendMessages();
    if (this.#state === 'new') this.#open(messages);
    messages.execute(this.#client.getTransactionStatus() === 'T' ? count : 0);
    try {
      const { rows, shape, isSuspended } = await this.#exchange(messages);
      this.#shape = shape;
      this.#state = isSuspended ? 'open' : 'read';
      return rows;
    } catch (error) {
      this.#state = 'failed';
      throw error;
    }
  }

  /** Frees what the server keeps for it. After an error there is nothing. */
  async close(): Promise<void> {
    if (this.#state !== 'open' && this.#state !== 'read') return;
    const messages = new FrontendMessages();
    messages.closePortal();
    await this.#exchange(messages);
  }

  #open(messages: FrontendMessages): void {
    const { sql, parameters = [], types = [] } = this.#statement;
    messages.parse('', sql, types);
    messages.bind('', parameters.map(parameterText));
    messages.describe();
  }

  #exchange(messages: FrontendMessages): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#client.query(new Exchange(messages.sync(), this.#types, this.#shape, { resolve, reject }));
    });
  }
}

interface Answer {
  readonly rows: Row[];
  readonly shape: RowShape | undefined;
  readonly isSuspended: boolean;
}

interface Settle {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Messages that end with a Sync, and what the server answers to them. */
class Exchange implements Submittable {
  readonly #messages: Buffer;
  readonly #types: CustomTypesConfig;
  readonly #settle: Settle;
  readonly #rows: Row[] = [];
  #shape: RowShape | undefined;
  #isSuspended = false;
  #parseFailure: { readonly error: unknown } | undefined;

  constructor(messages: Buffer, types: CustomTypesConfig, shape: RowShape | undefined, settle: Settle) {
    this.#messages = messages;
    this.#types = types;
    this.#shape = shape;
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    connection.stream.write(this.#messages);
  }

  handleRowDescription({ fields }: { readonly fields: FieldDef[] }): void {
    this.#shape = new RowShape(fields, this.#types);
  }

  handleDataRow({ fields }: { readonly fields: (string | null)[] }): void {
    if (this.#shape === undefined || this.#parseFailure !== undefined) return;
    try {
      this.#rows.push(this.#shape.rowOf(fields));
    } catch (error) {
      this.#parseFailure = { error };
    }
  }

  handlePortalSuspended(): void {
    this.#isSuspended = true;
  }

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}

  handleReadyForQuery(): void {
    if (this.#parseFailure !== undefined) this.#settle.reject(this.#parseFailure.error);
    else this.#settle.resolve({ rows: this.#rows, shape: this.#shape, isSuspended: this.#isSuspended });
  }

  handleError(error: unknown, connection: Connection): void {
    settleWhenReady(error, connection, () => this.#settle.reject(error));
  }
}

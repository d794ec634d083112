import type { Statement } from '../driver/driver.js';
import { qualified, quoted } from '../migrations/migration-table.js';

/** `uuid`, as the server numbers its types. */
const types = [2_950];

/** How many tokens one statement deletes. */
export const cleanedAtOnce = 5_000;

/** The table of commit tokens, and the statements on it. */
export class TokenTable {
  /** `public.keelson_commit_tokens`. */
  readonly name: string;
  /** As SQL has it. */
  readonly quotedName: string;
  /** What makes it. */
  readonly ddl: string;
  /** What a role needs that is not its owner. */
  readonly grants: string;
  /** Fails where the table is missing. */
  readonly readNothing: Statement;
  readonly #schema: string;
  readonly #insert: string;
  readonly #look: string;
  readonly #clean: string;

  constructor(tableName: string, keepMs: number) {
    const [schema, plainTable] = qualified(tableName);
    this.name = `${schema}.${plainTable}`;
    this.#schema = quoted(schema);
    const table = `${this.#schema}.${quoted(plainTable)}`;
    this.quotedName = table;
    const expiry = `current_timestamp + interval '${keepMs} milliseconds'`;
    this.ddl = `create table ${table} (token uuid primary key, expires_at timestamptz not null, refused boolean not null default false)`;
    this.grants = `grant select, insert, update, delete on ${table} to <the role of the service>`;
    this.readNothing = { sql: `select token, expires_at, refused from ${table} limit 0` };
    this.#insert = `insert into ${table} (token, expires_at) values ($1, ${expiry})`;
    // An update, not `do nothing`: its own COMMIT is answered when all before it is as safe as the server makes it.
    this.#look = `insert into ${table} as kept (token, expires_at, refused) values ($1, ${expiry}, true)
on conflict (token) do update set refused = kept.refused
returning case when refused then 'aborted' else 'committed' end as outcome`;
    this.#clean = `delete from ${table} where token in (select token from ${table}
where token < $1 and expires_at < current_timestamp order by token limit ${cleanedAtOnce} for update skip locked)`;
  }

  /** What makes the schema, where it is missing. */
  get schemaDdl(): string {
    return `create schema if not exists ${this.#schema}`;
  }

  /** Writes the token of a transaction in that transaction. */
  insert(token: string): Statement {
    return { sql: this.#insert, parameters: [token], types, recurs: true };
  }

  /**
   * One row, one column `outcome`. It is decisive because it writes the token itself where it finds none: a transaction
   * that has not committed the same token by then never will. It waits for one that has written it and has not ended.
   */
  look(token: string): Statement {
    return { sql: this.#look, parameters: [token], types };
  }

  /** Deletes tokens below `bound` that have expired; other instances at the same are passed over. */
  clean(bound: string): Statement {
    return { sql: this.#clean, parameters: [bound], types };
  }
}

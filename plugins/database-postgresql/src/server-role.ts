import type pg from 'pg';
import type { Target } from './host-list.js';
import { asPgClient } from './pg-internals.js';

/** What a server is at the moment. */
export interface ServerRole {
  /** It replays the log of another, and refuses writes. */
  readonly standby: boolean;
  /** Sessions begin read-only, on a standby or by `default_transaction_read_only`. */
  readonly readOnly: boolean;
}

/** As libpq judges `target_session_attrs`. `prefer-standby` is a matter of several servers: any one suits. */
export function suits(role: ServerRole, target: Target): boolean {
  switch (target) {
    case 'read-write':
      return !role.readOnly;
    case 'read-only':
      return role.readOnly;
    case 'primary':
      return !role.standby;
    case 'standby':
      return role.standby;
    case 'any':
    case 'prefer-standby':
      return true;
  }
}

export function describeRole(role: ServerRole): string {
  if (role.standby) return 'is a standby';
  return role.readOnly ? 'is read-only' : 'is a primary';
}

/** How the role of a server is known. */
export interface RoleSource {
  /** It is asked for: a pooler repeats what its server said of itself when the pooler first connected to it. */
  isAsked: boolean;
}

/** Listens to what the server says of itself while `client` connects. To be called before that. */
export function watchRole(client: pg.Client, source: RoleSource): () => Promise<ServerRole> {
  const said = new Map<string, boolean>();
  asPgClient(client).connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
    said.set(parameterName, parameterValue === 'on');
  });
  return async () => {
    const standby = said.get('in_hot_standby');
    const readOnly = said.get('default_transaction_read_only');
    if (source.isAsked || standby === undefined || readOnly === undefined) return askRole(client);
    return { standby, readOnly: readOnly || standby };
  };
}

/** Servers before PostgreSQL 14, and some poolers, do not say it by themselves: one round trip. */
async function askRole(client: pg.Client): Promise<ServerRole> {
  const { rows } = await client.query<ServerRole>(
    `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as "readOnly"`,
  );
  const [role] = rows;
  if (role === undefined) throw new Error('the server did not say what it is');
  return role;
}

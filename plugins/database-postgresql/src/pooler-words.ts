import type pg from 'pg';
import { asPgClient } from './pg-internals.js';

/**
 * PgBouncer ends connections with one SQLSTATE for everything, 08P01, also where it passes on what the server has said; newer
 * versions have others for some. Its words -> the state that PostgreSQL has for the same.
 */
const states: readonly (readonly [words: RegExp, state: string])[] = [
  [/^(?:SASL|PAM|LDAP|certificate|"trust"|password) authentication failed|^auth failed$/, '28P01'],
  [/^no such user(?:: |$)|^role ".*" does not exist$/, '28000'],
  [/^(?:not allowed|(?:unix socket )?login rejected|SSL required)$|^no pg_hba\.conf entry/, '28000'],
  [/^no such database(?:: |$)|^database ".*" does not exist$/, '3D000'],
  [/^permission denied for database/, '42501'],
  [/^no more connections allowed|^client connections exceeded|^no memory for|resources exhaustion$/, '53300'],
  [/^sorry, too many clients already|^remaining connection slots|^too many connections for/, '53300'],
  [/^the database system is /, '57P03'],
  [/shutting down/, '57P01'],
  [/^client_idle_timeout$/, '57P05'],
  [/^idle_(?:in_)?transaction_timeout$/, '25P03'],
  [/^transaction_timeout$/, '25P04'],
  [/^query_timeout$/, '57014'],
  [/^query_wait_timeout$|^client_login_timeout|^database ".*" is disabled$/, '08001'],
  [/^(?:pgbouncer cannot connect to server|server login (?:has been failing|failed))/, '08001'],
];

/** The state that the words of a pooler stand for; undefined for words that are not known. */
function stateOfWords(words: string): string | undefined {
  return states.find(([pattern]) => pattern.test(words))?.[1];
}

/** Gives what a pooler says the SQLSTATE that it means. To be called before `client` connects. */
export function watchPoolerWords(client: pg.ClientBase): void {
  asPgClient(client).connection.on('errorMessage', (error: unknown) => {
    if (!(error instanceof Error) || Reflect.get(error, 'code') !== '08P01') return;
    // Only the function that raised it distinguishes a server from a pooler: no server leaves it out.
    if (Reflect.get(error, 'severity') !== 'FATAL' || Reflect.get(error, 'routine') !== undefined) return;
    const code = stateOfWords(error.message);
    if (code !== undefined) Object.assign(error, { code, saidBy: 'pooler' });
  });
}

import { KeelsonError } from '@keelson/core';
import { callerPath } from './code-path.js';
import { causeOf } from './connection-error.js';
import { sqlStateOf } from './sql-state.js';

function place(): { at?: string } {
  const at = callerPath();
  return at === undefined ? {} : { at };
}

/** The variables or the role of a session cannot be set as they were given; nothing was sent. Bears names, never values. */
export class IdentityInvalidError extends KeelsonError {
  constructor(facts: {
    /** With a capital letter. */
    readonly what: string;
    readonly why: string;
    readonly hint: string;
    readonly variable?: string;
  }) {
    const { what, why, hint, variable } = facts;
    super({
      code: 'DATABASE_IDENTITY_INVALID',
      message: `${what} ${why}.`,
      hint,
      facts: { ...(variable !== undefined && { variable }), ...place() },
    });
  }
}

/** The server did not set the variables or the role of a session; nothing of the session ran. */
export class IdentityRefusedError extends KeelsonError {
  constructor(facts: { readonly variables: readonly string[]; readonly role: string | undefined }, cause: unknown) {
    const { variables, role } = facts;
    const sqlState = sqlStateOf(cause);
    super({
      code: 'DATABASE_IDENTITY_REFUSED',
      message: 'The server did not set the variables or the role of the session; no statement of the session ran.',
      hint:
        role === undefined
          ? 'Check the names of the variables, and whether the role of the connection may set them.'
          : 'Check that the role exists, and that it is granted to the role of the connection: GRANT app_user TO app_login.',
      facts: {
        ...(variables.length > 0 && { variables: variables.join(', ') }),
        ...(role !== undefined && { role }),
        ...(sqlState !== undefined && { sqlState }),
      },
      cause: causeOf(cause),
    });
  }
}

/** `em.setSessionContext` or similar was called: the variables and the role of a session are fixed when it begins. */
export class IdentityFixedError extends KeelsonError {
  constructor(facts: { readonly by: string }) {
    super({
      code: 'DATABASE_IDENTITY_FIXED',
      message: `The variables and the role of a session are set with its BEGIN; ${facts.by} cannot change them.`,
      hint: 'Pass them when you open the session: database.session(work, { session: { variables, role } }), or http.session for requests.',
      facts: { ...facts, ...place() },
    });
  }
}

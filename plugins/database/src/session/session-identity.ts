import { IdentityInvalidError } from '../errors/identity-errors.js';
import { Identity } from '../transaction/identity.js';

/** Whom the server takes a session for: what row-level security decides by. Set with BEGIN, and gone with the transaction. */
export interface SessionIdentity {
  /**
   * Settings of the transaction. A policy reads them: `current_setting('app.tenant')`. A name of your own must have a dot. Of
   * the settings of PostgreSQL itself, only those are accepted that do not affect how Keelson runs a session.
   */
  readonly variables?: Readonly<Record<string, string | number | bigint | boolean | Date>>;
  /** The role that statements run as. The role of the connection must be a member of it. */
  readonly role?: string;
}

/** As PostgreSQL takes the name of a setting that it does not know. */
const customName = /^[a-z_][\w$]*(?:\.[a-z_][\w$]*)+$/i;
const ownName = /^keelson\./i;

/** Settings of PostgreSQL that change what statements see or how they are planned, and nothing that Keelson relies on. */
const taken: ReadonlySet<string> = new Set([
  'search_path',
  'work_mem',
  'plan_cache_mode',
  'default_text_search_config',
]);

const ofTimeouts = 'is an option of the session';
const ofTransaction = 'belongs to the transaction of the session';
const ofRole = 'would change the role of the session';
/** Why a setting of PostgreSQL is refused, and what to use instead. */
const refused: ReadonlyMap<string, readonly [why: string, hint: string]> = new Map([
  ['role', [ofRole, 'Use the option `role` beside `variables`.']],
  ['session_authorization', [ofRole, 'Use the option `role` beside `variables`.']],
  ['row_security', [ofRole, 'Use a role with BYPASSRLS where the policies must not apply.']],
  ['transaction_read_only', [ofTransaction, 'Use the option `readOnly`, or `database.read`.']],
  ['transaction_isolation', [ofTransaction, 'Use the option `isolation`.']],
  ['transaction_deferrable', [ofTransaction, 'Use the option `deferrable`.']],
  ['statement_timeout', [ofTimeouts, 'Use the option `statementTimeoutMs`.']],
  ['lock_timeout', [ofTimeouts, 'Use the option `lockTimeoutMs`.']],
  ['idle_in_transaction_session_timeout', [ofTimeouts, 'Use the option `idleTimeoutMs`.']],
]);

const byAllowList: readonly [string, string] = [
  'is a setting of PostgreSQL that Keelson may rely on',
  `Give a variable of your own a name with a dot, such as app.tenant. Of the settings of PostgreSQL only ${[...taken].join(', ')} can be set.`,
];

/**
 * What `given` asks for, as it is sent; undefined when it asks for nothing.
 *
 * @throws IdentityInvalidError, before anything is sent. It names names, never values.
 */
export function identityOf(given: SessionIdentity): Identity | undefined {
  if (given instanceof Identity) return given;
  const { role } = given;
  const variables: Record<string, string> = {};
  let isEmpty = role === undefined;
  for (const [name, value] of Object.entries(given.variables ?? {})) {
    assertName(name);
    const key = name.toLowerCase();
    if (key in variables) throw invalid(name, 'is given twice, in upper and in lower case', 'Give it once.');
    variables[key] = textOf(name, value);
    isEmpty = false;
  }
  if (role !== undefined) assertRole(role);
  return isEmpty ? undefined : new Identity(variables, role);
}

/** What `asked` asks for that a session with the identity `given` does not have. */
export function identityMisfits(asked: SessionIdentity, given: Identity | undefined): string[] {
  const identity = identityOf(asked);
  if (identity === undefined) return [];
  const misfits = Object.entries(identity.variables)
    .filter(([name, value]) => given?.variables[name] !== value)
    .map(([name]) => `session.variables.${name}`);
  if (identity.role !== undefined && identity.role !== given?.role) misfits.push('session.role');
  return misfits;
}

function assertName(name: string): void {
  if (ownName.test(name)) throw invalid(name, "is one of Keelson's own", 'Begin the name with another word.');
  if (customName.test(name) || taken.has(name.toLowerCase())) return;
  if (!/^\w+$/.test(name))
    throw invalid(
      name,
      'is not a valid name of a setting',
      'Write letters, digits and underscores, with a dot between.',
    );
  throw invalid(name, ...(refused.get(name.toLowerCase()) ?? byAllowList));
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (typeof value === 'bigint' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)))
    return String(value);
  const why = value === undefined || value === null ? 'has no value' : 'is not a text, number, boolean or date';
  throw invalid(
    name,
    why,
    'Pass a value, or refuse the request or the job before its session begins: a policy would compare with an empty text.',
  );
}

function assertRole(role: unknown): void {
  if (
    typeof role === 'string' &&
    role !== '' &&
    role.toLowerCase() !== 'none' &&
    Buffer.byteLength(role) <= longestName
  )
    return;
  throw new IdentityInvalidError({
    what: 'The role of a session',
    why: 'is not a valid name of a role',
    hint: 'Give the name of a role, or omit the option to use the role of the connection.',
  });
}

/** PostgreSQL cuts a longer name off. */
const longestName = 63;

function invalid(variable: string, why: string, hint: string): IdentityInvalidError {
  return new IdentityInvalidError({ what: `The variable "${variable}" of a session`, why, hint, variable });
}

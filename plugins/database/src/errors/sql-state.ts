/**
 * What can be asked of any thrown value. Errors of pg come raw from BEGIN, COMMIT and the pool, and wrapped by MikroORM
 * from everything else; both carry `code` and `severity` as own properties.
 */
const sqlStatePattern = /^[0-9A-Z]{5}$/;

function property(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
}

function text(error: unknown, name: string): string | undefined {
  const value = property(error, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The five characters of PostgreSQL, or undefined when the server did not say anything. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = text(error, 'code');
  return code !== undefined && sqlStatePattern.test(code) && !systemCodes.has(code) ? code : undefined;
}

/**
 * Another instance has made the same schema or table at the same moment. `if not exists` of PostgreSQL does not prevent it:
 * the name can be taken in each of the catalogs that are written after it was looked up.
 */
export function isMadeByAnother(error: unknown): boolean {
  return madeByAnother.has(sqlStateOf(error) ?? '');
}

/** unique_violation, duplicate_table, duplicate_object (the row type), duplicate_schema, serialization_failure. */
const madeByAnother: ReadonlySet<string> = new Set(['23505', '42P07', '42710', '42P06', '40001']);

/** Codes of Node that look like a SQLSTATE. */
const systemCodes = new Set(['EPIPE', 'EBUSY', 'EPERM', 'EROFS', 'EXDEV', 'EBADF', 'ENXIO']);

/** FATAL and PANIC end the connection; ERROR ends the transaction only. */
export function severityOf(error: unknown): string | undefined {
  return text(error, 'severity');
}

const systemCodePattern = /^E[A-Z0-9_]+$/;

/** The code of the operating system or of Node: `ECONNREFUSED`. Looks into an AggregateError too. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = text(error, 'code');
  if (code !== undefined && systemCodePattern.test(code)) return code;
  const errors = property(error, 'errors');
  return Array.isArray(errors) ? errors.map(systemCodeOf).find(found => found !== undefined) : undefined;
}

/** The names, never the values, that the server gave with an error. */
export interface ServerDetails {
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

export function serverDetailsOf(error: unknown): ServerDetails {
  const schema = text(error, 'schema');
  const table = text(error, 'table');
  const column = text(error, 'column');
  const constraint = text(error, 'constraint');
  return {
    ...(schema !== undefined && { schema }),
    ...(table !== undefined && { table }),
    ...(column !== undefined && { column }),
    ...(constraint !== undefined && { constraint }),
  };
}

const lostMessages = [
  'Connection terminated unexpectedly',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
];

const lostSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
]);

/** The server answered a statement and goes on: whatever its code says, it is well, and so is the connection. */
export function isAnswer(error: unknown): boolean {
  return severityOf(error) === 'ERROR' && sqlStateOf(error) !== undefined;
}

/**
 * A prepared statement does not fit the server any more: its table was altered (0A000 from this one routine of the
 * server), the server has forgotten it (26000), or it names what is not there any more.
 */
export function isStalePlan(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state === '0A000') return text(error, 'routine') === 'RevalidateCachedQuery';
  // Not when a function of the service raises it.
  if (state === '26000') return text(error, 'routine') !== 'exec_stmt_raise';
  return mayBeOutdated(error) && state?.startsWith('22') === false;
}

/**
 * True for an error that outdated parameter types may have caused. The server keeps the types that it found when it parsed
 * the statement, also when a column has another type since. It then refuses values (22), operators and types (42), or reports
 * `cache lookup failed` (XX000).
 */
export function dependsOnTypes(error: unknown): boolean {
  const state = sqlStateOf(error) ?? '';
  return state === 'XX000' || state.startsWith('22') || (state.startsWith('42') && state !== '42501');
}

/** Remembers that `error` may be due to what the server found when it parsed the statement earlier. */
export function markOutdated(error: Error): void {
  Object.assign(error, { outdated: true });
}

export function mayBeOutdated(error: unknown): boolean {
  return property(error, 'outdated') === true;
}

/** Answers that leave open whether a COMMIT was done. */
const outcomeUnknown = new Set(['08007', '40003']);

/** The answer to a COMMIT says that it was not done. */
export function isDefiniteRefusal(error: unknown): boolean {
  return isAnswer(error) && !outcomeUnknown.has(sqlStateOf(error) ?? '');
}

/**
 * True when the connection is gone, or was never there: no further answer can come over it. pg says so in plain `Error`s
 * without a code (pg 8.23), so their messages are known here and nowhere else.
 */
export function isConnectionLoss(error: unknown): boolean {
  const severity = severityOf(error);
  if (severity === 'FATAL' || severity === 'PANIC') return true;
  if (isAnswer(error)) return false;
  const state = sqlStateOf(error);
  if (state !== undefined) return state.startsWith('08');
  const systemCode = systemCodeOf(error);
  if (systemCode !== undefined && (lostSystemCodes.has(systemCode) || 'syscall' in Object(error))) return true;
  const message = property(error, 'message');
  return typeof message === 'string' && lostMessages.some(lost => message.includes(lost));
}

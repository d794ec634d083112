export type Severity = 'ERROR' | 'FATAL';

/** What the refusal is about, as far as it names it. */
export interface Named {
  /** Public, unless it is said here. */
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

/** What a server answers when it does not do what it was asked. */
export class SqlError extends Error {
  readonly state: string;
  readonly severity: Severity;
  readonly routine: string;
  named: Named = {};
  /** Where in the work it happened. */
  context: string | undefined;

  constructor(state: string, message: string, severity: Severity = 'ERROR', routine = 'simulated') {
    super(message);
    this.state = state;
    this.severity = severity;
    this.routine = routine;
  }
}

function about(named: Named, state: string, message: string): SqlError {
  return Object.assign(new SqlError(state, message), { named });
}

export const problems = {
  serialization: () => new SqlError('40001', 'could not serialize access due to concurrent update'),
  dangerous: () =>
    new SqlError('40001', 'could not serialize access due to read/write dependencies among transactions'),
  deadlock: () => new SqlError('40P01', 'deadlock detected'),
  lockTimeout: () => new SqlError('55P03', 'canceling statement due to lock timeout'),
  statementTimeout: () => new SqlError('57014', 'canceling statement due to statement timeout'),
  cancelled: () => new SqlError('57014', 'canceling statement due to user request'),
  terminated: () => new SqlError('57P01', 'terminating connection due to administrator command', 'FATAL'),
  idleSession: () => new SqlError('57P05', 'terminating connection due to idle-session timeout', 'FATAL'),
  idle: () => new SqlError('25P03', 'terminating connection due to idle-in-transaction timeout', 'FATAL'),
  failed: () =>
    new SqlError('25P02', 'current transaction is aborted, commands ignored until end of transaction block'),
  readOnly: (what: string) => new SqlError('25006', `cannot execute ${what} in a read-only transaction`),
  unique: (table: string, constraint = `${table}_pkey`) =>
    about({ table, constraint }, '23505', `duplicate key value violates unique constraint "${constraint}"`),
  notNull: (table: string, column: string) =>
    about(
      { table, column },
      '23502',
      `null value in column "${column}" of relation "${table}" violates not-null constraint`,
    ),
  check: (table: string, constraint: string) =>
    about({ table, constraint }, '23514', `new row for relation "${table}" violates check constraint "${constraint}"`),
  foreignKey: (from: string, constraint: string) =>
    about(
      { table: from, constraint },
      '23503',
      `insert or update on table "${from}" violates foreign key constraint "${constraint}"`,
    ),
  referenced: (table: string, from: string, constraint: string) =>
    about(
      { table: from, constraint },
      '23503',
      `update or delete on table "${table}" violates foreign key constraint "${constraint}" on table "${from}"`,
    ),
  noColumn: (name: string) => new SqlError('42703', `column ${name} does not exist`),
  ambiguous: (name: string) => new SqlError('42702', `column reference "${name}" is ambiguous`),
  noColumnOf: (table: string, name: string) =>
    new SqlError('42703', `column "${name}" of relation "${table}" does not exist`),
  noSource: (alias: string) => new SqlError('42P01', `missing FROM-clause entry for table "${alias}"`),
  noType: (name: string) => new SqlError('42704', `type "${name}" does not exist`),
  noOperator: (left: string, operator: string, right: string) =>
    new SqlError('42883', `operator does not exist: ${left} ${operator} ${right}`),
  wrongType: (column: string, type: string, given: string) =>
    new SqlError('42804', `column "${column}" is of type ${type} but expression is of type ${given}`),
  noBoolean: (where: string, given: string) =>
    new SqlError('42804', `argument of ${where} must be type boolean, not type ${given}`),
  differentTypes: (what: string, one: string, other: string) =>
    new SqlError('42804', `${what} types ${one} and ${other} cannot be matched`),
  divisionByZero: () => new SqlError('22012', 'division by zero'),
  outOfRange: (type: string) => new SqlError('22003', `${type} out of range`),
  noArbiter: () =>
    new SqlError('42P10', 'there is no unique or exclusion constraint matching the ON CONFLICT specification'),
  twice: () => new SqlError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time'),
  truncatesReferenced: () => new SqlError('0A000', 'cannot truncate a table referenced in a foreign key constraint'),
  syntax: (word: string) => new SqlError('42601', `syntax error at or near "${word}"`),
  unknownStatement: (name: string) =>
    new SqlError('26000', `prepared statement "${name}" does not exist`, 'ERROR', 'FetchPreparedStatement'),
  knownStatement: (name: string) => new SqlError('42P05', `prepared statement "${name}" already exists`),
  notInEncoding: () => new SqlError('22021', 'invalid byte sequence for encoding "UTF8": 0x00'),
  noTable: (name: string) => new SqlError('42P01', `relation "${name}" does not exist`),
  noBlock: (what: string) => new SqlError('25P01', `${what} can only be used in transaction blocks`),
  noSavepoint: (name: string) => new SqlError('3B001', `savepoint "${name}" does not exist`),
  future: (id: bigint) => new SqlError('22023', `transaction ID ${id} is in the future`),
  tooMany: () => new SqlError('53300', 'sorry, too many clients already', 'FATAL'),
  starting: () => new SqlError('57P03', 'the database system is starting up', 'FATAL'),
  stopping: () => new SqlError('57P03', 'the database system is shutting down', 'FATAL'),
};

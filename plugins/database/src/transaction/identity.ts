import type { Statement } from '../driver/driver.js';

/** The variables and the role of a session, checked. */
export class Identity {
  /** By lower-case name. */
  readonly variables: Readonly<Record<string, string>>;
  readonly role?: string;
  /** Sets them for the transaction. */
  readonly statement: Statement;

  constructor(variables: Identity['variables'], role: string | undefined) {
    this.variables = variables;
    if (role !== undefined) this.role = role;
    this.statement = statementOf(variables, role);
  }
}

const text = 25;

/** Names and values are parameters, so the text is the same for all of them. The role comes last: it may set less. */
function statementOf(variables: Identity['variables'], role: string | undefined): Statement {
  const parameters = Object.entries(variables).flat();
  if (role !== undefined) parameters.push('role', role);
  const calls: string[] = [];
  for (let at = 1; at < parameters.length; at += 2) calls.push(`set_config($${at}, $${at + 1}, true)`);
  return { sql: `select ${calls.join(', ')}`, parameters, types: parameters.map(() => text), recurs: true };
}

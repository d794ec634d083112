import type { Backend } from './backend.ts';
import { planDelete, planTruncate, planUpdate } from './change-rows.ts';
import { UnknownStatement } from './commands.ts';
import type { Answer } from './execute.ts';
import type { Scope } from './expressions.ts';
import { planInsert } from './insert-rows.ts';
import type { Parameters, Plan } from './plan.ts';
import { planSelect } from './select-rows.ts';
import { startAgain } from './sequences.ts';
import { problems } from './sql-error.ts';
import { type RowStatement, tablesOf } from './syntax.ts';
import { definitionOf } from './tables.ts';
import { type TypeName, typedValue } from './values.ts';

interface Known {
  readonly plan: Plan;
  readonly parameters: ReadonlyMap<number, TypeName>;
}

const known = new WeakMap<RowStatement, Known>();

/** What the names in the statement mean here. @throws SqlError for one that is not known. */
export function analyse(on: Backend, statement: RowStatement): Known {
  for (const table of tablesOf(statement)) {
    if (!on.server.store.hasTable(table)) throw problems.noTable(table);
    if (definitionOf(table) === undefined) throw new UnknownStatement(`about the columns of ${table}`);
  }
  const before = known.get(statement);
  if (before !== undefined) return before;
  const parameters = new Map<number, TypeName>();
  const made = { plan: planOf(statement, parameters), parameters };
  known.set(statement, made);
  return made;
}

function planOf(statement: RowStatement, parameters: Scope['parameters']): Plan {
  switch (statement.does) {
    case 'select':
      return planSelect(statement, parameters);
    case 'insert':
      return planInsert(statement, parameters);
    case 'update':
      return planUpdate(statement, parameters);
    case 'delete':
      return planDelete(statement, parameters);
    case 'truncate':
      return planTruncate(statement, (on, table) => startAgain(on.server.store, table));
  }
}

export async function executeRows(on: Backend, statement: RowStatement, values: Parameters): Promise<Answer> {
  const { plan, parameters } = analyse(on, statement);
  const typed = values.map((value, at) => {
    const type = parameters.get(at);
    return value === null || type === undefined ? value : typedValue(type, value);
  });
  return plan.run(on, typed);
}

import type { CheckDef, ForeignKey, TableDifference } from '@mikro-orm/sql';

/** A constraint of the entities, and the one of the database that stands in its place under another name. */
export interface Pair<Constraint> {
  readonly wanted: Constraint;
  readonly live: Constraint;
}

/** MikroORM knows foreign keys by their names; one of the same columns is there, whatever it is called. */
export function foreignKeyPairs({ addedForeignKeys, removedForeignKeys }: TableDifference): Pair<ForeignKey>[] {
  return pairs(Object.values(addedForeignKeys), Object.values(removedForeignKeys), endsOf, rulesOf);
}

/** Checks, too. */
export function checkPairs({ addedChecks, removedChecks }: TableDifference): Pair<CheckDef>[] {
  return pairs(Object.values(addedChecks), Object.values(removedChecks), conditionOf, () => '');
}

/** Two that have the same place; of several, one that is also alike in the rest. */
function pairs<Constraint>(
  wanted: readonly Constraint[],
  live: readonly Constraint[],
  placeOf: (constraint: Constraint) => string,
  restOf: (constraint: Constraint) => string,
): Pair<Constraint>[] {
  const free = new Set(live);
  return wanted.flatMap(one => {
    const same = [...free].filter(other => placeOf(other) === placeOf(one));
    const match = same.find(other => restOf(other) === restOf(one)) ?? same[0];
    if (match === undefined) return [];
    free.delete(match);
    return [{ wanted: one, live: match }];
  });
}

/** From where to where: `(author_id) to author (id)`. */
export function endsOf(key: ForeignKey): string {
  const table = key.referencedTableName.replace(/^public\./, '');
  return `(${key.columnNames.join(', ')}) to ${table} (${key.referencedColumnNames.join(', ')})`.toLowerCase();
}

/** What happens to the row when the other goes; for the entities `restrict` and `no action` are the same. */
export function rulesOf(key: ForeignKey): string {
  const rule = (name: string | undefined) => {
    const given = name?.toLowerCase() ?? 'no action';
    return given === 'restrict' ? 'no action' : given;
  };
  const deferred = key.deferMode === undefined ? '' : `, deferrable initially ${key.deferMode}`;
  return `on delete ${rule(key.deleteRule)}, on update ${rule(key.updateRule)}${deferred}`;
}

/** Without what the server writes in another way: white space, quotes, parentheses, casts. */
function conditionOf({ expression }: CheckDef): string {
  return String(expression)
    .toLowerCase()
    .replace(/::[a-z ]+(\[\])?/g, '')
    .replace(/[\s"()]/g, '');
}

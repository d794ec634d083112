import type { Backend } from './backend.ts';
import type { Answer } from './execute.ts';
import { type Computed, compile, type Moment, type Scope } from './expressions.ts';
import { problems } from './sql-error.ts';
import type { Row } from './store.ts';
import type { Item, Source } from './syntax.ts';
import { definitionOf, type TableDefinition } from './tables.ts';
import { numberOfType, type TypeName } from './values.ts';
import type { Column } from './wire.ts';

export type Parameters = readonly (string | null)[];

/** A statement whose names and types are known. */
export interface Plan {
  readonly columns: readonly Column[];
  readonly types: readonly TypeName[];
  readonly run: (on: Backend, parameters: Parameters) => Promise<Answer>;
}

/** The columns of an answer, and how a row of it is computed. */
export interface Output {
  readonly columns: readonly Column[];
  readonly types: readonly TypeName[];
  readonly of: (moment: Moment) => readonly (string | null)[];
}

/** @throws SqlError for a table that no server has. */
export function tableOf({ table }: Source): TableDefinition {
  const definition = definitionOf(table);
  if (definition === undefined) throw problems.noTable(table);
  return definition;
}

export function scopeOf(parameters: Scope['parameters'], ...sources: readonly Source[]): Scope {
  return { parameters, tables: sources.map(source => ({ alias: source.alias, definition: tableOf(source) })) };
}

/** `wanted` are the types of values that have none of their own. */
export function outputOf(items: readonly Item[], scope: Scope, wanted: readonly TypeName[] = []): Output {
  const all = items.flatMap((item, at) => named(item, scope, wanted[at]));
  return {
    columns: all.map(({ name, computed }) => ({ name, type: numberOfType(computed.type) })),
    types: all.map(({ computed }) => computed.type),
    of: moment => all.map(({ computed }) => computed.of(moment)),
  };
}

interface Named {
  readonly name: string;
  readonly computed: Computed;
}

function named(item: Item, scope: Scope, wanted: TypeName | undefined): readonly Named[] {
  if (item.is === 'count') return [{ name: item.name, computed: { type: 'int8', of: () => null } }];
  if (item.is === 'expression') return [{ name: item.name, computed: compile(item.expression, scope, wanted) }];
  const { of } = item;
  const tables = of === undefined ? scope.tables : scope.tables.filter(({ alias }) => alias === of);
  if (of !== undefined && tables.length === 0) throw problems.noSource(of);
  return tables.flatMap(({ alias, definition }) =>
    Object.keys(definition.columns).map(name => ({
      name,
      computed: compile({ is: 'column', of: alias, name }, scope),
    })),
  );
}

/** A row in the store has no columns without a value. */
export function rowOf(values: Iterable<readonly [column: string, value: string | null]>): Row {
  const row: Record<string, string> = {};
  for (const [column, value] of values) if (value !== null) row[column] = value;
  return row;
}

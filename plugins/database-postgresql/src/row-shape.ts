import type { Row } from '@keelson/database';
import type { CustomTypesConfig, FieldDef } from 'pg';

type Parse = (text: string) => unknown;

/** How rows of one statement are read: names and types of their columns. */
export class RowShape {
  readonly #columns: readonly { readonly name: string; readonly parse: Parse }[];

  constructor(fields: readonly FieldDef[], types: CustomTypesConfig) {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: types.getTypeParser(dataTypeID, 'text') }));
  }

  /** @throws what a parser throws. */
  rowOf(values: readonly (string | null)[]): Row {
    const row: Row = {};
    let at = 0;
    for (const { name, parse } of this.#columns) {
      const value = values[at++];
      row[name] = value === null || value === undefined ? null : parse(value);
    }
    return row;
  }
}

export type SchemaDifferenceKind =
  | 'missing-schema'
  | 'missing-table'
  | 'missing-column'
  | 'missing-index'
  | 'missing-constraint'
  | 'missing-type'
  | 'missing-view'
  | 'type'
  | 'nullable'
  | 'default'
  | 'generated'
  | 'index'
  | 'constraint'
  | 'other'
  | 'name'
  | 'unknown-table'
  | 'unknown-column'
  | 'unknown-required-column'
  | 'unknown-index'
  | 'unknown-constraint';

export interface SchemaDifference {
  readonly kind: SchemaDifferenceKind;
  /** `failure`: the service may fail on it. `info`: it does no harm, like a table that no entity knows. */
  readonly severity: 'failure' | 'info';
  readonly table: string;
  readonly column?: string;
  /** Of the index, constraint, type or view. */
  readonly name?: string;
  /** What the entities say. */
  readonly expected?: string;
  /** What the database has. */
  readonly found?: string;
  /** One sentence for the operator. */
  readonly message: string;
}

/** How the live schema stands to the entities. */
export interface SchemaReport {
  /** `different` when anything in it is a `failure`. */
  readonly status: 'valid' | 'different';
  readonly differences: readonly SchemaDifference[];
}

/** A service that cannot be made as asked. Nothing was written. */
export class Refusal extends Error {
  /** What to do about it. */
  readonly hint: string;
  /** Whether the command line is wrong, rather than the place. */
  readonly isUsage: boolean;

  constructor(message: string, hint: string, { isUsage = false }: { readonly isUsage?: boolean } = {}) {
    super(message);
    this.name = 'Refusal';
    this.hint = hint;
    this.isUsage = isUsage;
  }
}

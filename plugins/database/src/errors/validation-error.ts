import { type FieldProblem, KeelsonError } from '@keelson/core';

/** The input is wrong; the error has one sentence for each field. Over HTTP a 422 with one entry for each. */
export class ValidationError extends KeelsonError {
  readonly errors: readonly FieldProblem[];

  constructor(errors: readonly FieldProblem[]) {
    const fields = errors.map(({ path }) => path || '(whole input)').join(', ');
    super({
      code: 'DATABASE_VALIDATION_FAILED',
      message: `The input is not valid: ${fields}.`,
      hint: 'Each entry of errors names a field and what it must be.',
      facts: { fields: errors.map(({ path }) => path) },
      http: {
        status: 422,
        title: 'Unprocessable Content',
        detail: 'The input is not valid; each entry of "errors" names a field.',
        errors,
      },
    });
    this.errors = errors;
  }
}

import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';

/** A source has given something that is no credential. `what` holds nothing of it. */
export function invalidCredential(what: string): KeelsonError {
  return new KeelsonError({
    code: 'CREDENTIALS_INVALID',
    message: `The credential cannot be used: ${what}.`,
    hint: 'Provide only the password in one line, or JSON: {"user": "app", "password": "...", "expiresAt": "2030-01-31T12:00:00Z"}.',
  });
}

/** There is no valid credential, because it could not be obtained. */
export function noCredential(cause: unknown): KeelsonError {
  const why = isKeelsonError(cause) ? ` ${cause.message}` : '';
  return new KeelsonError({
    code: 'CREDENTIALS_UNAVAILABLE',
    message: `There is no valid credential.${why}`,
    hint: (isKeelsonError(cause) ? cause.hint : undefined) ?? 'Check the source of the credentials.',
    ...(isKeelsonError(cause) && { facts: cause.facts }),
    cause: isKeelsonError(cause) ? cause : undefined,
  });
}

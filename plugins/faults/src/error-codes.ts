/** Every code this package throws or finds; each has a section in docs/errors.md. */
export const errorCodes = ['FAULT_INJECTED', 'FAULTS_IN_PRODUCTION'] as const;

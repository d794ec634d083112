/** Codes of the errors this package throws or answers with. Each has a section in docs/errors.md. */
export const errorCodes = [
  'CONSOLE_ADMIN_PORT_MISSING',
  'CONSOLE_INSTANCE_UNREACHABLE',
  'CONSOLE_NOT_BUILT',
  'CONSOLE_REQUEST_REFUSED',
  'CONSOLE_TOKEN_MISSING',
  'CONSOLE_TOKEN_REQUIRED',
] as const;

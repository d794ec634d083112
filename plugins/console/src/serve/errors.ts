import { KeelsonError } from '@keelson/core';

/** The request does not come from the page, or not to the name that the page has. */
export function refused(why: string, hint: string): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_REQUEST_REFUSED',
    message: `The console refused the request: ${why}.`,
    hint,
    http: { status: 403, title: 'Refused' },
  });
}

export function tokenRequired(given: boolean): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_TOKEN_REQUIRED',
    message: given ? 'The token is not the token of this console.' : 'The console needs its token.',
    hint: 'Log in on the page, or send the header Authorization: Bearer <token>. The token is in the configuration of the service.',
    http: { status: 401, title: 'Token required' },
  });
}

export function notFound(): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_REQUEST_REFUSED',
    message: 'The console has nothing at this path.',
    hint: 'Open /console.',
    http: { status: 404, title: 'Not found' },
  });
}

export function notBuilt(cause: unknown): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_NOT_BUILT',
    message: 'The page of the console is not built.',
    hint: 'Run node plugins/console/build-page.mjs in a clone of the repository; a published package contains the page.',
    cause,
    http: { status: 503, title: 'Not built' },
  });
}

export function unreachable(name: string, why: string, cause?: unknown): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_INSTANCE_UNREACHABLE',
    message: `The console of ${name} cannot be shown: ${why}.`,
    hint: 'Check that the instance runs, that it has a console, and that the token is that of its configuration.',
    facts: { instance: name },
    cause,
    http: { status: 502, title: 'Instance unreachable' },
  });
}

export function adminPortMissing(): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_ADMIN_PORT_MISSING',
    message: 'The console needs the admin port of the HTTP server, because the port of the API must not serve it.',
    hint: 'Set http.admin: { port: 9000, host: "127.0.0.1" }, or turn the console off with use: none.',
  });
}

export function tokenMissing(address: string): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_TOKEN_MISSING',
    message: `The admin port listens on ${address}, which others can reach, and the console has no token.`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as it stands in a configuration
    hint: 'Set console.token to a secret (token: "${CONSOLE_TOKEN}"), or http.admin.host to 127.0.0.1.',
    facts: { address },
  });
}

import { KeelsonError } from '@keelson/core';

/** The new configuration has a change that a database cannot make while the service runs. */
export function reloadRefused(what: string): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_RELOAD_REFUSED',
    message: `The new url of the database names ${what}, which cannot change while the service runs.`,
    hint: 'Restart the service. A reload may change host, port, user, password, the ssl parameters and target_session_attrs of the url.',
  });
}

export interface Signals {
  readonly stop: readonly NodeJS.Signals[];
  readonly reload: readonly NodeJS.Signals[];
}

/**
 * Returns the signals that a service handles. Windows has no SIGTERM from outside, sends SIGBREAK for Ctrl-Break, and sends
 * SIGHUP when the window of the console is closed: the process ends about 10 s later, so that is a stop.
 */
export function signalsOf(platform: NodeJS.Platform): Signals {
  if (platform === 'win32') return { stop: ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'], reload: [] };
  return { stop: ['SIGINT', 'SIGTERM'], reload: ['SIGHUP'] };
}

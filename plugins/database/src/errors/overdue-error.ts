/** Why a connection was closed that was lent beyond its time. Its code is the one of a connection over which nothing comes. */
export class OverdueError extends Error {
  readonly code = 'ETIMEDOUT';
  readonly syscall = 'read';

  constructor() {
    super('the work on the connection was not done in time');
  }
}

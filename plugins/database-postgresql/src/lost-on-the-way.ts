import type { LostStatement } from './silence-watch.js';

/** As the operating system says it of a connection over which nothing comes any more, with what the server said. */
export function lostOnTheWay(lostStatement: LostStatement): Error {
  const message = 'the server does not work on the statement that was sent to it';
  return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall: 'read', lostStatement });
}

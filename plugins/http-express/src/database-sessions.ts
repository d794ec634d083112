import type { DatabaseService } from '@keelson/database/contract';
import type { RequestSessions } from './request-sessions.js';

export function databaseSessions(database: DatabaseService): RequestSessions {
  return {
    open: options => database.openSession(options),
    unit: (work, options) => database.session(work, { ...options, nested: 'separate' }),
  };
}

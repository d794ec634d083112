import type { DatabaseService } from '@keelson/database/contract';
import type { RequestSessions } from './request-sessions.js';

export function databaseSessions(database: DatabaseService): RequestSessions {
  return {
    onDemand: (settings, whenUsed) => database.sessionOnDemand(settings, whenUsed),
    unit: (work, options) => database.session(work, { ...options, nested: 'separate' }),
  };
}

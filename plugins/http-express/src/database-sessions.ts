import type { DatabaseService } from '@keelson/database/contract';
import type { RequestSessions } from './request-sessions.js';

export function databaseSessions(database: DatabaseService): RequestSessions {
  return {
    onDemand: settings => database.sessionOnDemand(settings),
    pool: () => {
      const { waiting, counters } = database.stats();
      return { waiting, acquired: counters.acquired };
    },
    unit: (work, options) => database.session(work, { ...options, nested: 'separate' }),
  };
}

import type { DatabaseService, DatabaseSession } from '@keelson/database/contract';
import type { RequestSessions } from './request-sessions.js';

export function databaseSessions(database: DatabaseService): RequestSessions {
  return {
    onDemand: (settings, whenUsed) => database.sessionOnDemand(settings, whenUsed),
    pool: () => {
      const { waiting, counters } = database.stats();
      return { waiting, acquired: counters.acquired };
    },
    unit: async (work, { onToken, ...options }) => {
      let last: DatabaseSession | undefined;
      const result = await database.session(
        (em, session) => {
          last = session;
          return work(em);
        },
        { ...options, nested: 'separate' },
      );
      const token = last?.consistencyToken;
      if (token !== undefined) onToken?.(token);
      return result;
    },
  };
}

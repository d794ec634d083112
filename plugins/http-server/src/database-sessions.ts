import type { DatabaseService, DatabaseSession } from '@keelson/database/contract';
import type { RequestSessions } from './request-sessions.js';

export function databaseSessions(database: DatabaseService): RequestSessions {
  return {
    onDemand: (settings, whenUsed) => database.sessionOnDemand(settings, whenUsed),
    pool: () => {
      const { state } = database;
      const { waiting, counters } = database.stats();
      const { acquired, waited } = counters;
      return {
        connectedSince: state.is === 'connected' ? state.since.getTime() : undefined,
        waiting,
        acquired,
        waited,
      };
    },
    unit: async (work, { onToken, onSession, ...options }) => {
      let last: DatabaseSession | undefined;
      const result = await database.session(
        (em, session) => {
          last = session;
          onSession?.(session.id);
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

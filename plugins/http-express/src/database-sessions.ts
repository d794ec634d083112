import { type ServiceToken, serviceToken } from '@keelson/core';
import type { DatabaseService } from '@keelson/database';
import type { RequestSessions } from './request-sessions.js';

/** By name, so that a service without a database loads none of it. */
export const databaseToken: ServiceToken<DatabaseService> = serviceToken('@keelson/database/DatabaseService');

export function databaseSessions(database: DatabaseService): RequestSessions {
  return { open: options => database.openSession(options) };
}

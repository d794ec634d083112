import type { DatabaseCapability } from '@keelson/database';

/** PGlite has one connection in the process of the service: nothing can be cancelled, and no time limit of it can fire. */
export const capabilities: readonly DatabaseCapability[] = [
  'stream',
  'listen',
  'savepoints',
  'session-state',
  'session-locks',
  'transactional-ddl',
  'write-implies-id',
];

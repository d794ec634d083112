import { type Facts, KeelsonError } from '@keelson/core';
import type { PgliteErrorCode } from './error-codes.js';

/** PGlite cannot run here, and a retry does not help. At the start, it is the cause of DATABASE_CONNECT_FAILED. */
export class PgliteError extends KeelsonError {
  declare readonly code: PgliteErrorCode;

  constructor(options: {
    readonly code: PgliteErrorCode;
    readonly message: string;
    readonly hint: string;
    readonly facts?: Facts;
    readonly cause?: unknown;
  }) {
    super({
      ...options,
      http: { status: 503, title: 'Service Unavailable', detail: 'The database cannot be used at the moment.' },
    });
  }
}

export function folderInUse(dataDir: string, pid: number): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_IN_USE',
    message: `The data folder ${dataDir} is in use by process ${pid}; PGlite serves one process at a time.`,
    hint: 'Stop that process, such as `keelson dev`, or give this service its own dataDir. Several instances need @keelson/database-postgresql.',
    facts: { dataDir, pid },
  });
}

export function folderUnwritable(dataDir: string, cause: unknown): PgliteError {
  const systemCode = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `The data folder ${dataDir} cannot be written to (${String(systemCode)}).`,
    hint: 'Give the service a dataDir that it may create and write to.',
    facts: { dataDir, systemCode },
    cause,
  });
}

export function parentMissing(dataDir: string, parent: string, cause: unknown): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `The data folder ${dataDir} cannot be created: ${parent} does not exist.`,
    hint: 'Create that folder first, or correct dataDir: PGlite creates only its last folder.',
    facts: { dataDir, parent },
    cause,
  });
}

export function folderOfOthers(dataDir: string, others: number): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `The data folder ${dataDir} contains other files (${others}), and no database.`,
    hint: 'Set dataDir to a folder that is empty or does not exist yet.',
    facts: { dataDir, others },
  });
}

export function folderNotOpened(dataDir: string, cause: unknown): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `PGlite could not open ${dataDir}.`,
    hint: 'Check that it has a database of this version of PGlite; otherwise move the folder.',
    facts: { dataDir },
    cause,
  });
}

export function memoryLost(): PgliteError {
  return new PgliteError({
    code: 'PGLITE_MEMORY_LOST',
    message: 'PGlite has crashed, and its data in memory is lost.',
    hint: 'Start the service again. Set dataDir to keep the data on disk.',
  });
}

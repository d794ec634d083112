import { type Facts, KeelsonError } from '@keelson/core';
import type { PgliteErrorCode } from './error-codes.js';

/** PGlite cannot run here, and trying again does not change it. When starting, it is the cause of DATABASE_CONNECT_FAILED. */
export class PgliteError extends KeelsonError {
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
    hint: 'Give each service a dataDir of its own. Several instances of one service need @keelson/database-postgresql.',
    facts: { dataDir, pid },
  });
}

export function folderUnwritable(dataDir: string, cause: unknown): PgliteError {
  const systemCode = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `The data folder ${dataDir} cannot be written to (${String(systemCode)}).`,
    hint: 'Give the service a dataDir that it may make and write to.',
    facts: { dataDir, systemCode },
    cause,
  });
}

export function parentMissing(dataDir: string, parent: string, cause: unknown): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `The data folder ${dataDir} cannot be made: ${parent} is not there.`,
    hint: 'Make that folder first, or correct dataDir; only the last folder of it is made.',
    facts: { dataDir, parent },
    cause,
  });
}

export function folderOfOthers(dataDir: string, others: number): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `The data folder ${dataDir} holds other files (${others}), and no database.`,
    hint: 'Give dataDir a folder of its own: one that is empty, or not there yet.',
    facts: { dataDir, others },
  });
}

export function folderNotOpened(dataDir: string, cause: unknown): PgliteError {
  return new PgliteError({
    code: 'PGLITE_FOLDER_UNUSABLE',
    message: `PGlite could not open ${dataDir}.`,
    hint: 'Look whether it holds a database of this version of PGlite, and move it away when it does not.',
    facts: { dataDir },
    cause,
  });
}

export function memoryLost(): PgliteError {
  return new PgliteError({
    code: 'PGLITE_MEMORY_LOST',
    message: 'PGlite has ended, and what it kept in memory is lost.',
    hint: 'Start the service again; with a dataDir its data outlives this.',
  });
}

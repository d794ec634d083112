import { EventEmitter } from 'node:events';
import type { BatchOutcome } from '@keelson/database';
import pg, { type Connection } from 'pg';
import { expect, test } from 'vitest';
import { StatementBatch } from './statement-batch.js';

/** What comes of a batch whose server says `severity`, and then does `next`. */
async function outcomeOf(severity: string, next: 'readyForQuery' | 'end'): Promise<BatchOutcome> {
  const connection = new EventEmitter() as EventEmitter & Connection;
  const error = new pg.DatabaseError('in the language of the server', 1, 'error');
  Object.assign(error, { severity, code: '23505' });
  return new Promise(resolve => {
    new StatementBatch([{ sql: 'select 1' }], { types: pg.types, settle: resolve }).handleError(error, connection);
    connection.emit(next);
  });
}

test.each(['ERROR', 'FEHLER', 'ERREUR', 'ОШИБКА'])(
  'an error after which the server goes on is an ERROR: %s',
  async said => {
    expect((await outcomeOf(said, 'readyForQuery')).failure?.error).toMatchObject({ severity: 'ERROR', code: '23505' });
  },
);

test.each(['FATAL', 'FATALE', 'ВАЖНО'])(
  'an error after which the server ends the connection is FATAL: %s',
  async said => {
    expect((await outcomeOf(said, 'end')).failure?.error).toMatchObject({ severity: 'FATAL', code: '23505' });
  },
);

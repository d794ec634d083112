import { describe, expect, test } from 'vitest';
import { readAnswer } from './wire-messages.js';

const ready = (status: string) => ({ name: 'readyForQuery' as const, status });
const fields = [
  { name: 'id', dataTypeID: 23 },
  { name: 'name', dataTypeID: 25 },
];

describe('an answer', () => {
  test('has one result for each command, with its word, its count and its rows', () => {
    const answer = readAnswer([
      { name: 'commandComplete', text: 'BEGIN' },
      { name: 'rowDescription', fields },
      { name: 'dataRow', fields: ['1', null] },
      { name: 'commandComplete', text: 'INSERT 0 1' },
      { name: 'commandComplete', text: 'CREATE TABLE' },
      { name: 'commandComplete', text: 'UPDATE 12' },
      { name: 'emptyQuery' },
      ready('T'),
    ]);
    expect(answer).toEqual({
      status: 'in transaction',
      unfinished: [],
      results: [
        { command: 'BEGIN', rowCount: undefined, rows: [] },
        { command: 'INSERT', rowCount: 1, rows: [{ id: 1, name: null }] },
        { command: 'CREATE', rowCount: undefined, rows: [] },
        { command: 'UPDATE', rowCount: 12, rows: [] },
        { command: '', rowCount: undefined, rows: [] },
      ],
    });
  });

  test('ends at the first error, and the last word about the transaction counts', () => {
    const error = { name: 'error' as const, message: 'no' };
    const answer = readAnswer([
      { name: 'commandComplete', text: 'BEGIN' },
      error,
      ready('E'),
      { name: 'commandComplete', text: 'SELECT 1' },
      ready('I'),
    ]);
    expect(answer).toMatchObject({ status: 'idle', failure: { error } });
    expect(answer.results.map(({ command }) => command)).toEqual(['BEGIN']);
  });

  test('without the status of the transaction is an error', () => {
    expect(readAnswer([]).status).toBe('lost');
  });

  test('of a part of the rows keeps them apart', () => {
    const answer = readAnswer(
      [{ name: 'dataRow', fields: ['7', 'x'] }, { name: 'portalSuspended' }, ready('T')],
      fields,
    );
    expect(answer).toMatchObject({ results: [], unfinished: [{ id: 7, name: 'x' }] });
  });
});

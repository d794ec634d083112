import { describe, expect, test } from 'vitest';
import { copiesWithClient, mayEndTransaction } from './transaction-commands.js';

describe('a text of several statements may end its transaction', () => {
  test.each([
    'commit',
    'insert into log values (1); COMMIT and chain',
    '/* done */ end; select 1',
    "-- it's a comment\ncommit",
    "select E'\\'; '; rollback",
    "prepare transaction 'one'",
    'select $a$;$a$; abort',
  ])('when a statement of it does: %s', text => {
    expect(mayEndTransaction(text)).toBe(true);
  });

  test.each([
    'create table commits (id integer)',
    'do $$ begin perform 1; end; $$',
    "insert into log values ('one; commit; ')",
    'savepoint one; rollback to one; release one',
    'select 1; -- then; commit',
    'select ";commit;" from log',
  ])('but not when the word stands elsewhere: %s', text => {
    expect(mayEndTransaction(text)).toBe(false);
  });
});

test.each([
  ['copy item from stdin', true],
  ["/* all */ COPY item (id) FROM STDIN with (format 'csv')", true],
  ['copy (select * from item) to/**/stdout', true],
  ["copy item from '/srv/stdin.csv'", false],
  ['copy item (stdin) from program $$cat rows$$', false],
  ["copy (select stdout from item) to '/srv/rows'", false],
])('%s has its rows go through the client: %s', (sql, goes) => {
  expect(copiesWithClient(sql)).toBe(goes);
});

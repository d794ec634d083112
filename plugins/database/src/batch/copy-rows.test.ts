import type { EntityMetadata, Platform } from '@mikro-orm/core';
import { expect, test } from 'vitest';
import { CopyRows, groupByColumns } from './copy-rows.js';

test('the line that COPY complains about is read in any language of the server', () => {
  const rows = new CopyRows({ tableName: 'order2' } as EntityMetadata, {} as Platform);
  for (const where of [
    'COPY order2, line 12, column code: "x"',
    'COPY order2, Zeile 12, Spalte code: »7«',
    'COPY order2, ligne 12, colonne code : « 7 »',
    'COPY order2, 行 12, 列 code: "7"',
    'COPY order2, 12行目、列code: "7"',
    'PL/pgSQL function refuse() line 3 at RAISE\nCOPY order2, line 12',
  ])
    expect(rows.lineOf({ where }), where).toBe(11);
});

test('a complaint about another table, or without a line, names no line', () => {
  const rows = new CopyRows({ tableName: 'orders' } as EntityMetadata, {} as Platform);
  for (const where of ['COPY other, line 1', 'COPY orders', 'SQL statement "insert into orders"', undefined])
    expect(rows.lineOf({ where })).toBeUndefined();
});

test('rows are grouped by the columns they name, whatever their order', () => {
  const groups = groupByColumns([{ a: 1, b: 2 }, { b: 3, a: 4 }, { a: 5 }]);
  expect(groups.map(({ names, indexes }) => [names, indexes])).toEqual([
    [
      ['a', 'b'],
      [0, 1],
    ],
    [['a'], [2]],
  ]);
});

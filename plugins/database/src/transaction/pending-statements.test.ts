import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Block } from './block.js';
import { PendingStatements } from './pending-statements.js';

const waiting = (...sqls: string[]): PendingStatements => {
  const pending = new PendingStatements();
  for (const sql of sqls) {
    if (sql.startsWith('savepoint ')) pending.addSavepoint(sql.slice('savepoint '.length));
    else pending.add(sql);
  }
  return pending;
};
const texts = (pending: PendingStatements) => pending.statements.map(({ sql }) => sql);

describe('statements that wait', () => {
  test('are sent in the order in which they were added', () => {
    const pending = waiting('begin', 'set local x = 1', 'savepoint a');
    expect(texts(pending)).toEqual(['begin', 'set local x = 1', 'savepoint a']);
    expect(pending.length).toBe(3);
  });

  test('are forgotten from the front once the server has done them', () => {
    const pending = waiting('begin', 'savepoint a', 'savepoint b');
    pending.done(2);
    expect(texts(pending)).toEqual(['savepoint b']);
    pending.done(0);
    expect(texts(pending)).toEqual(['savepoint b']);
  });

  test('ask that a savepoint be read alone, and nothing else', () => {
    expect(waiting('begin', 'savepoint a').statements.map(({ readAlone }) => readAlone)).toEqual([undefined, true]);
  });

  test('have the mark behind those that begin, and know its key until it was sent', () => {
    const pending = waiting('begin', 'set local x = 1', 'savepoint a');
    pending.addMark({ sql: 'insert' }, 'key');
    expect(texts(pending)).toEqual(['begin', 'set local x = 1', 'insert', 'savepoint a']);
    pending.done(2);
    expect(pending.commitKey).toBe('key');
    pending.done(1);
    expect([pending.commitKey, texts(pending)]).toEqual([undefined, ['savepoint a']]);
    pending.addMark({ sql: 'again' }, 'other');
    expect(texts(pending)).toEqual(['again', 'savepoint a']);
  });

  test('forget the mark when a snapshot from before is restored', () => {
    const pending = waiting('begin');
    const before = pending.snapshot();
    pending.addMark({ sql: 'insert' }, 'key');
    pending.restore(before);
    expect([pending.commitKey, texts(pending)]).toEqual([undefined, ['begin']]);
  });

  test('come back as they were when a snapshot is restored', () => {
    const pending = waiting('begin', 'savepoint a');
    const before = pending.snapshot();
    pending.done(2);
    pending.add('other');
    pending.restore(before);
    expect(texts(pending)).toEqual(['begin', 'savepoint a']);
    expect(pending.takeBack('a')).toBe(true);
  });
});

describe('taking a savepoint back', () => {
  test('forgets it alone: those after it may be of other flows', () => {
    const pending = waiting('begin', 'savepoint a', 'set local x = 1', 'savepoint b');
    expect(pending.takeBack('a')).toBe(true);
    expect(texts(pending)).toEqual(['begin', 'set local x = 1', 'savepoint b']);
  });

  test('changes nothing when the server has it already', () => {
    const pending = waiting('begin', 'savepoint a');
    pending.done(2);
    expect(pending.has('a')).toBe(false);
    expect(pending.takeBack('a')).toBe(false);
    expect(texts(pending)).toEqual([]);
  });

  test('of a savepoint that was never sent leaves the list as if it had not been added, whatever is in it', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 8 });
    fc.assert(
      fc.property(names, names, (before, after) => {
        const pending = waiting('begin', ...before.map(name => `savepoint ${name}`));
        const expected = [...texts(pending), ...after.map(name => `savepoint ${name}`)];
        pending.addSavepoint('own');
        for (const name of after) pending.addSavepoint(name);
        pending.takeBack('own');
        expect(texts(pending)).toEqual(expected);
      }),
    );
  });
});

const kept = () => false;
const textsOf = (pending: PendingStatements) =>
  pending.statements.map(({ sql, parameters }) => (parameters === undefined ? sql : String(parameters.at(-1))));

test('messages wait in their order with what is sent around them, and are not sent twice', () => {
  const pending = new PendingStatements();
  const block = new Block();
  pending.add('begin');
  pending.addNotice('channel', 'one', { block, isUndone: kept });
  pending.addSavepoint('a');
  pending.addNotice('channel', 'two', { block, isUndone: kept });
  expect(textsOf(pending)).toEqual(['begin', 'one', 'savepoint a', 'two']);
  pending.done(3);
  expect([textsOf(pending), pending.hasNotices]).toEqual([['two'], true]);
  expect(pending.takeLastNotice()).toMatchObject({ parameters: ['channel', 'two'] });
  expect([pending.length, pending.hasNotices]).toEqual([0, false]);
});

test('a savepoint that was never sent takes back the messages of its own work behind it, and no others', () => {
  const pending = new PendingStatements();
  const [own, other] = [new Block(), new Block()];
  pending.addNotice('channel', 'before', { block: own, isUndone: kept });
  pending.addSavepoint('a');
  pending.addNotice('channel', 'undone', { block: own, isUndone: kept });
  pending.addNotice('channel', 'of another flow', { block: other, isUndone: kept });
  pending.dropNoticesAfter('a', own);
  expect(textsOf(pending)).toEqual(['before', 'savepoint a', 'of another flow']);
});

test('what is brought back for another try keeps the messages that came meanwhile', () => {
  const pending = new PendingStatements();
  const block = new Block();
  pending.add('begin');
  pending.addNotice('channel', 'one', { block, isUndone: kept });
  const before = pending.snapshot();
  pending.addNotice('channel', 'meanwhile', { block, isUndone: kept });
  pending.done(2);
  pending.restore(before);
  expect(textsOf(pending)).toEqual(['begin', 'one', 'meanwhile']);
  expect(pending.hasNotices).toBe(true);
});

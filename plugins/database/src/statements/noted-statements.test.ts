import { describe, expect, test } from 'vitest';
import { NotedStatements } from './noted-statements.js';

describe('the statement of a shape', () => {
  test('is found when it was slow or repeated', () => {
    const noted = new NotedStatements();
    const { shape } = noted.slow('select 1 from a', 'report', 700);
    noted.repeated('select 2 from b', 'report');
    expect(noted.find(shape.id)).toMatchObject({ sql: 'select 1 from a', slow: 1 });
    expect(noted.find(noted.shapeOf('select 2 from b').id)).toMatchObject({ repeated: 1 });
  });

  test('is found when its shape was asked for, as a span does, and it did not stand out', () => {
    const noted = new NotedStatements();
    const shape = noted.shapeOf('select 1 from a where b = $1');
    expect(noted.find(shape.id)).toEqual({ shape, sql: 'select 1 from a where b = $1' });
    expect(noted.all()).toEqual([]);
  });

  test('is not found when no statement had it', () => {
    expect(new NotedStatements().find('00000000')).toBeUndefined();
  });

  test('is forgotten after 1,000 other texts, unless it stood out', () => {
    const noted = new NotedStatements();
    const kept = noted.slow('select 1 from kept', 'report', 700).shape;
    const other = noted.shapeOf('select 1 from other');
    for (let column = 0; column < 1_000; column++) noted.shapeOf(`select c${column} from a`);
    expect(noted.find(kept.id)?.shape).toEqual(kept);
    expect(noted.find(other.id)).toBeUndefined();
  });
});

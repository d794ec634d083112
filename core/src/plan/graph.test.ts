import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cyclesOf, levelsOf, pathBetween } from './graph.js';

const graph = (edges: Record<string, string[]>) => new Map(Object.entries(edges));

describe('levelsOf', () => {
  test('puts each node into the first level after all it needs', () => {
    expect(levelsOf(graph({ http: ['log', 'db'], db: ['log'], log: [], mail: ['log'] }))).toEqual([
      ['log'],
      ['db', 'mail'],
      ['http'],
    ]);
  });

  test('leaves out a cycle and what needs it', () => {
    expect(levelsOf(graph({ a: ['b'], b: ['a'], c: ['a'], d: [] }))).toEqual([['d']]);
  });

  test('needs without a node do not count', () => {
    expect(levelsOf(graph({ a: ['elsewhere'] }))).toEqual([['a']]);
  });
});

describe('cyclesOf', () => {
  test('names the whole cycle', () => {
    expect(cyclesOf(graph({ orders: ['database'], database: ['health'], health: ['orders'] }))).toEqual([
      ['orders', 'database', 'health', 'orders'],
    ]);
  });

  test('names each group that needs each other once, and a node that needs itself', () => {
    const cycles = cyclesOf(graph({ a: ['b'], b: ['a', 'c'], c: ['d'], d: ['c'], e: ['e'] }));
    expect(cycles).toEqual([
      ['a', 'b', 'a'],
      ['c', 'd', 'c'],
      ['e', 'e'],
    ]);
  });
});

test('every node is either in a level or cannot be reached without a cycle', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const edges = fc.dictionary(fc.constantFrom(...names), fc.uniqueArray(fc.constantFrom(...names)));
  fc.assert(
    fc.property(edges, given => {
      const nodes = graph(given);
      const levels = levelsOf(nodes);
      const levelOf = new Map(levels.flatMap((level, index) => level.map(node => [node, index] as const)));
      for (const [node, level] of levelOf) {
        for (const need of nodes.get(node) ?? []) {
          if (nodes.has(need)) expect(levelOf.get(need)).toBeLessThan(level);
        }
      }
      expect(levelOf.size === nodes.size).toBe(cyclesOf(nodes).length === 0);
      for (const cycle of cyclesOf(nodes)) expect(pathBetween(nodes, cycle[0] ?? '', cycle[0] ?? '')).toBeDefined();
    }),
  );
});

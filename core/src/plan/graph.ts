export type Graph = ReadonlyMap<string, readonly string[]>;

/**
 * Sorts nodes into levels: each node stands in the first level after all it needs. Nodes that are part of a cycle, or
 * need one that is, are left out; names without a node are ignored.
 */
export function levelsOf(graph: Graph): string[][] {
  const placed = new Set<string>();
  const levels: string[][] = [];
  for (;;) {
    const level = [...graph]
      .filter(([node, needs]) => !placed.has(node) && needs.every(need => placed.has(need) || !graph.has(need)))
      .map(([node]) => node);
    if (level.length === 0) return levels;
    for (const node of level) placed.add(node);
    levels.push(level);
  }
}

/** One cycle for each group of nodes that need each other, each as a closed path: `a, b, a`. */
export function cyclesOf(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  for (const start of graph.keys()) {
    if (done.has(start)) continue;
    const cycle = pathBetween(graph, start, start);
    if (cycle === undefined) continue;
    cycles.push(cycle);
    for (const node of graph.keys()) {
      if (pathBetween(graph, start, node) !== undefined && pathBetween(graph, node, start) !== undefined)
        done.add(node);
    }
  }
  return cycles;
}

/** The shortest way from `from` to `to` along what is needed, of at least one step. */
export function pathBetween(graph: Graph, from: string, to: string): string[] | undefined {
  const ways: string[][] = [[from]];
  const seen = new Set<string>();
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const next of graph.get(way.at(-1) ?? from) ?? []) {
      if (next === to) return [...way, next];
      if (!graph.has(next) || seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}
